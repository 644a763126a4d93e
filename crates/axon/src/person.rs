//! Who runs a command, as far as it can be proved (ADR 23).
//!
//! An operator's token proves its holder. Without one it is the account of the operating system: the one that logged in,
//! where the kernel remembers it (so that `sudo` and `su` make nobody a second person), else the one that runs the process.
//! What the environment says is no proof and is not asked.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use axon_model::Actor;
use axon_store::operators::{OperatorTokenKind, Permission};
use axon_store::{Act, TokenHash};
use clap::Args;

use crate::wiring::Parts;

/// What the kernel says where nobody logged in.
const NO_LOGIN: u32 = u32::MAX;
/// The largest token file that is read.
const LARGEST: u64 = 4_096;

/// How somebody proves who they are.
#[derive(Debug, Args)]
pub struct Proof {
    /// A file with an operator's token: the operator is who says so, and not the login that runs this
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The account of the operating system behind this process.
pub fn login() -> String {
    let session =
        std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    let process = || std::fs::metadata("/proc/self").ok().map(|of| of.uid());
    let uid = session.filter(|uid| *uid != NO_LOGIN).or_else(process);
    match uid {
        Some(uid) => account(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid)
            .unwrap_or_else(|| format!("uid {uid}")),
        // Then everybody is one and the same: no second person comes of it.
        None => "unknown".to_owned(),
    }
}

/// The name of an account.
fn account(passwd: &str, uid: u32) -> Option<String> {
    let mut accounts = passwd.lines().map(|line| line.split(':'));
    accounts.find_map(|mut fields| {
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// An act of whoever shows this proof, and may do this.
pub async fn act(parts: &Parts, proof: &Proof, permission: Permission) -> anyhow::Result<Act> {
    let act = parts.act();
    let Some(file) = &proof.token_file else { return Ok(act) };
    let token = read_token(file)?;
    let found = parts.store.find_operator_token(&TokenHash::of(token.trim())).await?;
    let Some(found) = found.filter(|token| token.accepted_at(act.now)) else {
        bail!("the token in {} is no operator's, or it is revoked or expired", file.display());
    };
    match &found.kind {
        OperatorTokenKind::Operator { may } if may.has(permission) => {}
        _ => bail!("the token of operator {} may not do this: it lacks {permission}", found.name),
    }
    Ok(Act { actor: Actor::Operator { name: found.name }, ..act })
}

/// What a token file holds.
pub fn read_token(file: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read the token file {}", file.display());
    if std::fs::metadata(file).with_context(cannot)?.len() > LARGEST {
        bail!("{} is too large for a token file", file.display());
    }
    std::fs::read_to_string(file).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_number() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\n\nbroken\n:x:7:7::/:/x\nkim:x:1000:1000:Kim:/home/kim:/bin/sh\n";
        assert_eq!(account(passwd, 0).as_deref(), Some("root"));
        assert_eq!(account(passwd, 1000).as_deref(), Some("kim"));
        for nobody in [7, 100] {
            assert_eq!(account(passwd, nobody), None);
        }
        assert!(!login().is_empty());
    }
}
