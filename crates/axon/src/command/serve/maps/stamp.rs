//! By what it is seen that a file, or one of a folder's, changed: without reading it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::wiring::is_yaml;

/// Name, device, number, length and times of each file. A link is followed, so that one that is turned to another file counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Vec<(String, [u64; 3], [i64; 4])>);

impl Stamp {
    /// How it is now; none where there is nothing.
    pub fn of(path: &Path) -> Option<Self> {
        let is_folder = path.is_dir();
        if !is_folder {
            return Some(Self(vec![one(path)?]));
        }
        let mut files: Vec<_> = std::fs::read_dir(path)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| is_yaml(file))
            .filter_map(|file| one(&file))
            .collect();
        files.sort();
        Some(Self(files))
    }
}

fn one(path: &Path) -> Option<(String, [u64; 3], [i64; 4])> {
    let seen = std::fs::metadata(path).ok()?;
    let times = [seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec()];
    Some((path.to_string_lossy().into_owned(), [seen.dev(), seen.ino(), seen.len()], times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_or_written_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.yaml");
        assert_eq!(Stamp::of(&file), None);
        std::fs::write(&file, "axon: 1\n").unwrap();
        let first = Stamp::of(&file);
        assert_eq!(first, Stamp::of(&file));
        std::fs::write(folder.path().join("n.yaml"), "axon: 2\n").unwrap();
        std::fs::rename(folder.path().join("n.yaml"), &file).unwrap();
        assert_ne!(first, Stamp::of(&file), "of the same length");
        let whole = Stamp::of(folder.path());
        std::fs::write(folder.path().join("other.txt"), "x").unwrap();
        assert_eq!(whole, Stamp::of(folder.path()), "only the map's files count");
        std::fs::write(folder.path().join("b.yml"), "x").unwrap();
        assert_ne!(whole, Stamp::of(folder.path()));
    }
}
