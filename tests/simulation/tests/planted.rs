//! The planted bugs are bugs of today's code: a refactoring that moves a line is told here, not at the next `make planted`.

use std::path::Path;

use anyhow::{Context as _, ensure};

/// The issue asks for twenty.
const AT_LEAST: usize = 20;

#[test]
fn each_planted_bug_is_one_line_that_fits_into_todays_code() -> anyhow::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut patches = 0;
    for entry in std::fs::read_dir(here.join("planted"))? {
        let found_at = entry?.path();
        let patch = std::fs::read_to_string(&found_at)?;
        let shown = found_at.display();
        let file = patch.lines().find_map(|line| line.strip_prefix("+++ b/")).context("a file")?;
        let code = std::fs::read_to_string(here.join("../..").join(file)).with_context(|| file.to_owned())?;
        let body = || patch.lines().skip_while(|line| !line.starts_with("@@")).skip(1);
        let planted: Vec<&str> = body().filter(|line| line.starts_with('+')).collect();
        ensure!(planted.len() == 1 && planted[0].contains("PLANTED"), "{shown}: {planted:?}");
        let mut goes = body().filter_map(|line| line.strip_prefix('-'));
        // A line that comes in addition stands behind another one.
        let stays =
            body().take_while(|line| !line.starts_with('+')).filter_map(|line| line.strip_prefix(' '));
        let line = goes.next().or_else(|| stays.last()).context("a line to find")?;
        ensure!(goes.next().is_none(), "{shown}: more than one line");
        let found = code.lines().filter(|there| *there == line).count();
        ensure!(found == 1, "{shown}: {found} times in {file}: {line:?}");
        patches += 1;
    }
    ensure!(patches >= AT_LEAST, "{patches} planted bugs");
    Ok(())
}
