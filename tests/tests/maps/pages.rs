//! The lines that docs/CI.md gives to each system, run in a repository by a shell.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use axon_tests::{Place, Said};
use serde_json::Value;

use crate::jobs::{actions, circle, lab, rules};
use crate::kit::{Ci, Stand, map};

const PAGE: &str = include_str!("../../../docs/CI.md");

/// The lines of a job, as the part of the page about a system has them.
fn lines(system: &str, job: &str) -> anyhow::Result<String> {
    let part = PAGE.split(&format!("\n## {system}\n")).nth(1).context("a part")?;
    let part = part.split("```").nth(1).context("a block")?;
    let at = part.lines().position(|line| line.trim() == format!("{job}:")).context("a job")?;
    let begin = part.lines().nth(at).map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    let belongs = |line: &&str| line.is_empty() || line.len() - line.trim_start().len() > begin.len();
    let mut script = String::new();
    // What a `|` begins is deeper than what stands before it.
    let mut block: Option<usize> = None;
    let mut listed = false;
    for line in part.lines().skip(at + 1).take_while(belongs) {
        let (deep, text) = (line.len() - line.trim_start().len(), line.trim());
        if block.is_some_and(|of| deep > of) {
            script += text;
            script.push('\n');
            continue;
        }
        block = text.ends_with("run: |").then_some(deep);
        let item = text.strip_prefix("- ").filter(|_| listed);
        listed = text == "script:" || item.is_some();
        // Each of these is a shell of its own, whose end counts.
        if let Some(one) = item.or(text.strip_prefix("- run: ").filter(|_| block.is_none())) {
            script.extend(["( ", one, " )\n"]);
        }
    }
    ensure!(script.contains("axon map "), "{system} {job}: {script}");
    Ok(script)
}

/// A repository, and the programs that a job finds beside it.
struct Job {
    place: Place,
    programs: PathBuf,
}

impl Job {
    fn new() -> anyhow::Result<Self> {
        let place = Place::new([""; 0])?;
        let programs = place.file("programs");
        std::fs::create_dir(&programs)?;
        std::os::unix::fs::symlink(axon_tests::axon()?, programs.join("axon"))?;
        // What GitHub's own programs answer: the job's token, and nothing.
        let token = r#"printf '{"value":"%s"}' "$TOKEN""#;
        for (name, does) in
            [("curl", token), ("jq", r#"sed 's/.*"value":"\([^"]*\)".*/\1/'"#), ("gh", "true")]
        {
            let program = programs.join(name);
            std::fs::write(&program, format!("#!/bin/sh\n{does}\n"))?;
            std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        Ok(Self { place, programs })
    }

    async fn sh(&self, script: &str, variables: &[(&str, &str)]) -> anyhow::Result<Said> {
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH")?);
        let mut shell = tokio::process::Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AXON_") {
                shell.env_remove(name);
            }
        }
        let repository = self.place.file("repository");
        std::fs::create_dir_all(&repository)?;
        shell.args(["-e", "-c", script]).env("PATH", path).current_dir(repository);
        shell.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        for whose in ["AUTHOR", "COMMITTER"] {
            shell
                .env(format!("GIT_{whose}_NAME"), "kim")
                .env(format!("GIT_{whose}_EMAIL"), "kim@acme.example");
        }
        let output = shell.envs(variables.iter().copied()).output().await?;
        Ok(Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A commit in which the map says this.
    async fn commit(&self, text: &str) -> anyhow::Result<()> {
        let repository = self.place.file("repository");
        std::fs::create_dir_all(&repository)?;
        write(&repository, "role-map.yaml", text)?;
        self.sh(
            "test -d .git || git init -q -b main; git add role-map.yaml; git commit -q -m 'a change'",
            &[],
        )
        .await?
        .exits(0)?;
        Ok(())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    std::fs::write(folder.join(name), text).with_context(|| name.to_owned())
}

#[tokio::test]
async fn each_system_s_push_gives_the_version_that_its_repository_had_before() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let stand = Stand::start(&rules(&ci.name)).await?;
    let mut in_force = map("first");
    for (n, (system, claims)) in
        [("CircleCI", circle()), ("GitHub Actions", actions()), ("GitLab", lab())].into_iter().enumerate()
    {
        let job = Job::new()?;
        let script = lines(system, "push")?;
        let script = script.replace("https://axon.acme.com", stand.serve.address());
        let script = script.replace("<< pipeline.id >>", "pipe-1");
        let run = async |claims: &Value| {
            let token = ci.token(claims);
            let before = job.sh("git rev-parse HEAD^", &[]).await?.exits(0)?.out;
            let before = before.trim();
            let variables = [
                ("CIRCLE_OIDC_TOKEN_V2", token.as_str()),
                ("CIRCLE_SHA1", "abc"),
                ("TOKEN", &token),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
                ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1/?x"),
                ("BEFORE", before),
                ("AXON_OPERATOR_TOKEN", if system == "GitLab" { &token } else { "" }),
                ("CI_COMMIT_BEFORE_SHA", before),
                ("CI_COMMIT_TITLE", "a change"),
            ];
            job.sh(&script, &variables).await
        };
        job.commit(&in_force).await?;
        job.commit(&map(&format!("a{n}"))).await?;
        let said = run(&claims).await?.exits(0).with_context(|| system.to_owned())?;
        ensure!(said.out.starts_with("in force: "), "{system}: {}", said.out);
        let log = stand.log().await?;
        ensure!(log[0]["comment"] == "a change" && log[0]["author"]["way"] == "job", "{system}: {}", log[0]);
        // Run again, it is in force already: nothing happens.
        let said = run(&claims).await?.exits(0)?;
        ensure!(said.out.starts_with("in force already"), "{system}: {}", said.out);

        // Somebody changes it beside the repository: the next job does not write over that.
        in_force = map(&format!("hand{n}"));
        stand.place.write("hand.yaml", &in_force)?;
        stand.place.axon(&["map", "push", "hand.yaml", "--comment", "by hand"]).await?.exits(0)?;
        job.commit(&map(&format!("b{n}"))).await?;
        run(&claims).await?.exits(1)?.says(&["another version is in force", "by hand"])?;
        // Its text in a commit of its own is in force already, and what follows it is made from it: under whichever name a
        // person pushed it.
        job.commit(&in_force).await?;
        let said = run(&claims).await?.exits(0)?;
        ensure!(said.out.starts_with("in force already"), "{system}: {}", said.out);
        ensure!(stand.log().await?.len() == log.len() + 1, "{system}: nothing new");
    }
    Ok(())
}

#[tokio::test]
async fn each_system_s_check_tells_a_branch_what_it_would_change() -> anyhow::Result<()> {
    let old = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h.sql.azuresynapse.net, database: d, auth: { token-file: t }, \
               mode: authoritative }\nroles: { r: { grants: { dw: [select on sales.orders] } } }\n\
               mappings: [{ groups: { any: [Readers] }, source: entra, roles: [r] }]\n\
               guards: { removals: { window: 24h, most: 5%, floor: 20 }, leavers: { window: 24h, most: 5%, floor: 50 } }\n";
    let stand = Stand::start("").await?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let kim = scim.person("kim@acme.example").await?;
    scim.group("Readers", &[&kim]).await?;
    let snapshot = stand.place.axon(&["map", "snapshot"]).await?.exits(0)?.out;
    for system in ["CircleCI", "GitHub Actions", "GitLab"] {
        let job = Job::new()?;
        job.commit(old).await?;
        job.sh("git clone -q . ../origin; git remote add origin ../origin; git fetch -q origin", &[])
            .await?
            .exits(0)?;
        job.commit(
            &old.replace("[select on sales.orders]", "[select on sales.orders, select on sales.regions]"),
        )
        .await?;
        let repository = job.place.file("repository");
        write(&repository, "directory.jsonl", &snapshot)?;
        let script = lines(system, "check")?;
        job.sh(&script, &[("GITHUB_BASE_REF", "main"), ("PR", "7")]).await?.exits(0)?;
        let comment = std::fs::read_to_string(repository.join("comment.md"))?;
        ensure!(
            comment.contains("1 person gains") && comment.contains("sales.regions"),
            "{system}: {comment}"
        );
        // What fails its check ends the job.
        job.commit(&old.replace("roles: [r]", "roles: [rr]")).await?;
        let said = job.sh(&script, &[("GITHUB_BASE_REF", "main"), ("PR", "7")]).await?;
        ensure!(said.code != Some(0), "{system}: {}{}", said.out, said.err);
    }
    Ok(())
}
