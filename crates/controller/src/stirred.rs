//! Whose attributes or groups changed, for whoever keeps something that is made of them.

use std::sync::Arc;

use axon_model::UserId;

/// Past this many it is a mass change: everybody is looked at.
const MOST: usize = 50_000;

/// People in the order in which something of them changed.
#[derive(Debug)]
pub(crate) struct Stirred {
    since: Arc<()>,
    users: Vec<UserId>,
}

/// How far somebody has looked.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    since: Arc<()>,
    upto: usize,
}

impl Default for Stirred {
    fn default() -> Self {
        Self { since: Arc::new(()), users: Vec::new() }
    }
}

impl Stirred {
    /// Something of these changed.
    pub fn note(&mut self, users: impl Iterator<Item = UserId>) {
        self.users.extend(users);
        if self.users.len() > MOST {
            *self = Self::default();
        }
    }

    /// Whom something changed of since that look, where that is known; everybody else.
    pub fn since(&self, looked: Option<&Looked>) -> Option<&[UserId]> {
        let looked = looked.filter(|looked| Arc::ptr_eq(&looked.since, &self.since))?;
        self.users.get(looked.upto..)
    }

    /// This look.
    pub fn look(&self) -> Looked {
        Looked { since: self.since.clone(), upto: self.users.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_looks_from_where_it_looked_last() {
        let id =
            |n: u8| UserId::from_uuid(format!("018f3a00-0000-7000-8000-0000000000{n:02}").parse().unwrap());
        let mut stirred = Stirred::default();
        assert_eq!(stirred.since(None), None);
        let first = stirred.look();
        stirred.note([id(1)].into_iter());
        let second = stirred.look();
        stirred.note([id(2)].into_iter());
        assert_eq!(stirred.since(Some(&first)), Some(&[id(1), id(2)][..]));
        assert_eq!(stirred.since(Some(&second)), Some(&[id(2)][..]));
        stirred.note(std::iter::repeat_n(id(3), MOST));
        assert_eq!(stirred.since(Some(&second)), None, "a mass change is everybody's");
        assert_eq!(Stirred::default().since(Some(&second)), None);
    }
}
