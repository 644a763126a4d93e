//! Where records go that the journal cannot take: a file whose room was taken beforehand, so that a full disk cannot refuse it.
//!
//! What takes access away goes on while the store's disk is full. Its records are written here before the statement and after it,
//! with `fdatasync`, and into the journal as soon as that takes them, by this process or by the one that follows it.
//!
//! ```text
//!  | length 4 | SHA-256 32 | JSON | length 4 | SHA-256 32 | JSON | … | 0000 | room |
//! ```
//!
//! One file belongs to one target and to one process at a time (a lock of the file). A frame that was written in part ends what is
//! read: its statement was not sent yet.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use axon_audit::{Digest, NewRecord};
use axon_store::Notes;
use serde::{Deserialize, Serialize};

const DOMAIN: &str = "axon.spool.v1";
/// The room that is taken beforehand: some two hundred waves.
const ROOM: u64 = 4 * 1024 * 1024;
/// Length and digest.
const HEAD: usize = 4 + 32;

/// What is kept together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// Records, in order.
    pub records: Vec<NewRecord>,
    /// What is noted with them.
    pub notes: Notes,
}

/// The spool of one target; without a place it keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    place: Option<PathBuf>,
    open: Option<File>,
    used: u64,
    troubled: bool,
}

impl Spool {
    /// A spool in this folder, which is not touched before [`Spool::begin`].
    pub fn of(folder: Option<&Path>, target: &str) -> Self {
        Self { place: folder.map(|folder| folder.join(format!("{target}.spool"))), ..Self::default() }
    }

    /// Whether nobody was told yet that there is no spool.
    pub fn is_first_trouble(&mut self) -> bool {
        !std::mem::replace(&mut self.troubled, true)
    }

    /// Takes the room while there is some, and gives what an earlier process left behind. Not again where it was done.
    pub fn begin(&mut self) -> io::Result<Vec<Frame>> {
        let (Some(place), None) = (&self.place, &self.open) else { return Ok(Vec::new()) };
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(place)?;
        file.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, "another process has it"),
            TryLockError::Error(error) => error,
        })?;
        let has = file.metadata()?.len();
        if has < ROOM {
            // Written, not only promised: a file with holes needs room when it is filled.
            file.seek(SeekFrom::End(0))?;
            let zeros = vec![0_u8; 64 * 1024];
            let mut left = ROOM - has;
            while left > 0 {
                let some = left.min(zeros.len() as u64);
                file.write_all(zeros.get(..usize::try_from(some).unwrap_or_default()).unwrap_or_default())?;
                left -= some;
            }
            file.sync_all()?;
            if let Some(folder) = place.parent() {
                File::open(folder)?.sync_all()?;
            }
        }
        let (frames, used) = read(&file)?;
        self.used = used;
        self.open = Some(file);
        Ok(frames)
    }

    /// Keeps records where they survive this process, if it can. What takes away goes on all the same.
    pub fn put_aside(&mut self, frame: &Frame) {
        match self.keep(frame) {
            Ok(true) => {}
            Ok(false) => tracing::error!("there is no room in the spool: records are owed in memory only"),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the spool cannot be written");
            }
        }
    }

    /// Keeps a frame. False: there is no spool, or it is full.
    pub fn keep(&mut self, frame: &Frame) -> io::Result<bool> {
        let Some(file) = &self.open else { return Ok(false) };
        let body = serde_json::to_vec(frame)?;
        let Ok(length) = u32::try_from(body.len()) else { return Ok(false) };
        let mut bytes = Vec::with_capacity(HEAD + body.len() + 4);
        bytes.extend(length.to_le_bytes());
        bytes.extend(Digest::of(DOMAIN, &[&body]).as_bytes());
        bytes.extend(&body);
        let ends = self.used + bytes.len() as u64;
        // What comes behind is no frame, whatever was there before.
        bytes.extend([0; 4]);
        if ends + 4 > ROOM {
            return Ok(false);
        }
        file.write_all_at(&bytes, self.used)?;
        file.sync_data()?;
        self.used = ends;
        Ok(true)
    }

    /// The journal has it all. What was here is written over: it names people, and the journal may have to forget them.
    pub fn clear(&mut self) -> io::Result<()> {
        if self.used == 0 {
            return Ok(());
        }
        if let Some(file) = &self.open {
            let zeros = vec![0_u8; usize::try_from(self.used).unwrap_or_default()];
            file.write_all_at(&zeros, 0)?;
            file.sync_data()?;
        }
        self.used = 0;
        Ok(())
    }
}

/// The frames from the beginning to the first that is none, and where that is.
fn read(file: &File) -> io::Result<(Vec<Frame>, u64)> {
    let mut frames = Vec::new();
    let mut at = 0_u64;
    while at + HEAD as u64 <= ROOM {
        let mut head = [0_u8; HEAD];
        file.read_exact_at(&mut head, at)?;
        let (length, digest) = head.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default());
        let ends = at + HEAD as u64 + u64::from(length);
        if length == 0 || ends > ROOM {
            break;
        }
        let mut body = vec![0_u8; length as usize];
        file.read_exact_at(&mut body, at + HEAD as u64)?;
        if Digest::of(DOMAIN, &[&body]).as_bytes().as_slice() != digest {
            break;
        }
        let Ok(frame) = serde_json::from_slice(&body) else {
            return Err(io::Error::other("a frame of another version of Axon"));
        };
        frames.push(frame);
        at = ends;
    }
    Ok((frames, at))
}

#[cfg(test)]
mod tests {
    use axon_store::Removal;
    use time::macros::datetime;

    use super::*;

    fn frame(key: &str) -> Frame {
        let removal = Removal {
            key: key.to_owned(),
            at: datetime!(2026-11-22 08:30:00.123456 UTC),
            leaver: true,
            count: 1,
        };
        let notes = Notes { target: "dw".into(), counted: vec![removal], made: vec![-7], ..Notes::default() };
        Frame { records: Vec::new(), notes }
    }

    #[test]
    fn what_was_kept_is_there_for_the_next_process_until_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::of(Some(folder.path()), "dw");
        assert_eq!(spool.begin().unwrap(), []);
        assert!(spool.keep(&frame("a")).unwrap() && spool.keep(&frame("b")).unwrap());
        let mut other = Spool::of(Some(folder.path()), "dw");
        assert!(other.begin().is_err(), "one process at a time");
        drop(spool);
        assert_eq!(other.begin().unwrap(), [frame("a"), frame("b")]);
        other.clear().unwrap();
        let bytes = std::fs::read(folder.path().join("dw.spool")).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0), "it names people");
        assert!(other.keep(&frame("c")).unwrap());
        drop(other);
        let mut third = Spool::of(Some(folder.path()), "dw");
        assert_eq!(third.begin().unwrap(), [frame("c")], "what lay behind it is not read again");
    }

    #[test]
    fn a_frame_that_was_written_in_part_is_none_and_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::of(Some(folder.path()), "dw");
        spool.begin().unwrap();
        spool.keep(&frame("a")).unwrap();
        let torn = spool.used;
        spool.keep(&frame("torn")).unwrap();
        spool.open.as_ref().unwrap().write_all_at(b"?", torn + HEAD as u64 + 9).unwrap();
        drop(spool);
        let mut spool = Spool::of(Some(folder.path()), "dw");
        assert_eq!(spool.begin().unwrap(), [frame("a")]);
        assert!(spool.keep(&frame("b")).unwrap());
        drop(spool);
        assert_eq!(Spool::of(Some(folder.path()), "dw").begin().unwrap(), [frame("a"), frame("b")]);
    }

    #[test]
    fn its_room_is_taken_beforehand_and_never_grows() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::of(Some(folder.path()), "dw");
        spool.begin().unwrap();
        let length = || std::fs::metadata(folder.path().join("dw.spool")).unwrap().len();
        assert_eq!(length(), ROOM);
        let large = frame(&"x".repeat(1024 * 1024));
        let kept = (0..8).take_while(|_| spool.keep(&large).unwrap()).count();
        assert_eq!((kept, length()), (3, ROOM), "and says when it is full");
        drop(spool);
        assert_eq!(Spool::of(Some(folder.path()), "dw").begin().unwrap().len(), 3);
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let mut spool = Spool::of(None, "dw");
        assert_eq!(spool.begin().unwrap(), []);
        assert!(!spool.keep(&frame("a")).unwrap());
    }
}
