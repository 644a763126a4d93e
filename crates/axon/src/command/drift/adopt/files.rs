//! The configured files of a role map with other lines in them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Writes the files that differ, each as a whole: a reader sees the old text or the new one. `place` is the map's file or its folder.
pub fn write(place: &Path, before: &[(String, String)], after: &[(String, String)]) -> anyhow::Result<()> {
    for ((name, old), (also, new)) in before.iter().zip(after) {
        anyhow::ensure!(name == also, "the files are not the same ones");
        if old == new {
            continue;
        }
        let path: PathBuf = if place.is_dir() { place.join(name) } else { place.to_owned() };
        // A link stays one: what it leads to is changed.
        let path = fs::canonicalize(&path).with_context(|| format!("cannot find {}", path.display()))?;
        let is = crate::map_file::read(&path)?;
        anyhow::ensure!(is == *old, "{} was changed meanwhile", path.display());
        replace(&path, new).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A name that no reader of the folder takes for a part of the map.
    let beside = folder.join(format!(".axon-adopt-{}.tmp", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: [&str; 2]) -> Vec<(String, String)> {
        ["a.yaml", "b.yaml"].into_iter().zip(texts).map(|(n, t)| (n.to_owned(), t.to_owned())).collect()
    }

    #[test]
    fn only_what_differs_is_written_and_never_over_what_somebody_changed() {
        let folder = std::env::temp_dir().join(format!("axon-adopt-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let before = files(["one\n", "two\n"]);
        for (name, text) in &before {
            fs::write(folder.join(name), text).unwrap();
        }
        write(&folder, &before, &files(["one\n", "2\n"])).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!((read("a.yaml").as_str(), read("b.yaml").as_str()), ("one\n", "2\n"));
        let changed = write(&folder, &before, &files(["one\n", "3\n"])).unwrap_err();
        assert!(changed.to_string().contains("was changed meanwhile"), "{changed}");
        write(&folder.join("a.yaml"), &before[..1], &files(["1\n", ""])[..1]).unwrap();
        assert_eq!(read("a.yaml"), "1\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside them");
        fs::remove_dir_all(&folder).unwrap();
    }
}
