use std::sync::Mutex;

use async_trait::async_trait;
use axon_azure::parity::{GroupFound, GroupSeen, GroupThere, Key, MemberThere, PersonSeen, PersonThere};
use axon_model::{Delta, MemberKind, RecordSeq};
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);
const GROUPS: u128 = 5;

/// An identity provider that holds what was pushed, except who left; after so many answers it says no more.
#[derive(Default)]
struct Fake {
    left: Vec<String>,
    /// It is the wrong one: it knows nobody.
    stranger: bool,
    /// What the role map names, and what of it was made there and not pushed.
    mapped: Vec<String>,
    unpushed: Vec<String>,
    answers: Mutex<Option<u32>>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn turn(&self, what: &str) -> Result<(), Unread> {
        self.asked.lock().unwrap().push(what.to_owned());
        match &mut *self.answers.lock().unwrap() {
            Some(0) => Err(Unread::Fault("half a page".into())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Upstream for Fake {
    fn name(&self) -> &'static str {
        "the fake"
    }

    async fn called(&self, key: &Key, _slow: &mut Slow) -> Result<Vec<GroupFound>, Unread> {
        self.turn(&key.name)?;
        let name = key.name.clone();
        let there = self.unpushed.contains(&name);
        Ok(there.then(|| GroupFound { id: format!("id of {name}"), name }).into_iter().collect())
    }

    async fn group(&self, key: &Key, _slow: &mut Slow) -> Result<GroupSeen, Unread> {
        self.turn(&key.name)?;
        if self.stranger {
            return Ok(GroupSeen::Missing);
        }
        let name = key.name.replace('g', "u");
        let person = PersonThere { id: name.clone(), names: vec![name.clone()], enabled: true };
        let members = if self.left.contains(&name) { Vec::new() } else { vec![MemberThere::Person(person)] };
        Ok(GroupSeen::There(GroupThere { id: key.name.clone(), name: key.name.clone(), members }))
    }

    async fn people(&self, keys: &[Key], _slow: &mut Slow) -> Result<Vec<PersonSeen>, Unread> {
        let seen = keys.iter().map(|key| {
            self.turn(&key.name)?;
            if self.stranger {
                return Ok(PersonSeen::Missing);
            }
            let (id, names) = (key.name.clone(), vec![key.name.clone()]);
            Ok(PersonSeen::There(PersonThere { id, names, enabled: true }))
        });
        seen.collect()
    }

    fn people_at_once(&self) -> usize {
        2
    }
}

/// Groups g1 to g5, each with one person.
fn directory() -> Directory {
    let mut directory = Directory::default();
    let source: SourceId = "entra".parse().unwrap();
    for n in 1..=GROUPS {
        let (group, user) =
            (GroupId::from_uuid(uuid::Uuid::from_u128(n)), UserId::from_uuid(uuid::Uuid::from_u128(100 + n)));
        let (display_name, user_name) = (format!("g{n}").into(), format!("u{n}").into());
        let document: std::sync::Arc<str> = "{}".into();
        let group_entry = GroupEntry {
            id: group,
            source: source.clone(),
            display_name,
            external_id: None,
            document: document.clone(),
        };
        let user_entry = UserEntry {
            id: user,
            source: source.clone(),
            user_name,
            external_id: None,
            active: true,
            document,
        };
        let deltas = [
            Delta::GroupPut { group: group_entry },
            Delta::UserPut { user: user_entry },
            Delta::MemberAdded { group, member: MemberKind::User(user) },
        ];
        for delta in deltas {
            directory.apply(&delta, RecordSeq(1));
        }
    }
    directory
}

async fn looked(fake: &Fake, kept: &mut Kept, extent: Extent) -> BTreeSet<Subject> {
    let (source, directory) = ("entra".parse().unwrap(), directory());
    let (none, mut slow) = (BTreeSet::new(), Slow::new(100, 60_000));
    let mapped = fake.mapped.iter().map(|name| GroupName::Display(name.clone())).collect();
    let asked = Asked { extent, also: &none, mapped: &mapped };
    look(&directory, &source, fake, kept, asked, &mut slow, NOW).await
}

const SOME: Extent = Extent::Some { groups: 2, people: 3 };

#[tokio::test]
async fn looks_go_round_and_each_begins_where_the_last_one_ended() {
    let (fake, mut kept) = (Fake::default(), Kept::default());
    let mut seen = Vec::new();
    for _ in 0..3 {
        looked(&fake, &mut kept, SOME).await;
        seen.push(fake.asked().join(" "));
    }
    assert_eq!(seen, ["g1 g2 u1 u2 u3", "g3 g4 u4 u5", "g5 u1 u2 u3"]);
    assert_eq!(kept.round, Some(NOW), "everything was looked at once");
    looked(&fake, &mut kept, SOME).await;
    assert_eq!(fake.asked().join(" "), "g1 g2 u4 u5");
    looked(&fake, &mut kept, Extent::Full).await;
    assert_eq!(fake.asked().len(), 10);
    assert!(kept.found.is_empty() && kept.trouble.is_none(), "{kept:?}");
}

#[tokio::test]
async fn what_differed_is_read_first_again_and_a_fault_says_nothing() {
    let (mut fake, mut kept) = (Fake { left: vec!["u4".into()], ..Fake::default() }, Kept::default());
    looked(&fake, &mut kept, Extent::Full).await;
    assert_eq!(kept.found.len(), 1, "{kept:?}");
    fake.asked();
    looked(&fake, &mut kept, SOME).await;
    assert_eq!(fake.asked().join(" "), "g4 g1 g2 u1 u2 u3");
    // It is mended there, and the answer breaks off before anything of it is read.
    fake.left.clear();
    *fake.answers.lock().unwrap() = Some(0);
    looked(&fake, &mut kept, Extent::Differences).await;
    assert_eq!((kept.found.len(), kept.trouble.as_deref()), (1, Some("half a page")));
    *fake.answers.lock().unwrap() = None;
    let read = looked(&fake, &mut kept, Extent::Differences).await;
    assert!(kept.found.is_empty() && read.len() == 1, "{kept:?}");
}

#[tokio::test]
async fn a_look_that_ends_early_goes_on_where_it_ended() {
    let (fake, mut kept) = (Fake { answers: Mutex::new(Some(3)), ..Fake::default() }, Kept::default());
    looked(&fake, &mut kept, Extent::Some { groups: 5, people: 5 }).await;
    fake.asked();
    *fake.answers.lock().unwrap() = None;
    assert_eq!(kept.round, None);
    looked(&fake, &mut kept, SOME).await;
    assert_eq!(fake.asked().join(" "), "g4 g5 u1 u2 u3");
}

#[tokio::test]
async fn a_provider_that_knows_nobody_is_the_wrong_one() {
    let (fake, mut kept) = (Fake { stranger: true, ..Fake::default() }, Kept::default());
    looked(&fake, &mut kept, Extent::Full).await;
    assert!(kept.found.is_empty(), "{kept:?}");
    assert!(
        kept.trouble.as_ref().is_some_and(|told| told.contains("10 of 10") && told.contains("tenant")),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_group_of_the_role_map_that_was_never_pushed_is_looked_for_until_it_is_pushed() {
    let mapped = ["G2", "x", "y"].map(str::to_owned).to_vec();
    let (mut fake, mut kept) =
        (Fake { mapped, unpushed: vec!["x".into()], ..Fake::default() }, Kept::default());
    looked(&fake, &mut kept, SOME).await;
    let asked = fake.asked().join(" ");
    assert!(asked == "g1 g2 x y u1 u2 u3" || asked == "g1 g2 y x u1 u2 u3", "{asked}");
    let told: Vec<&str> = kept.found.values().map(|known| known.difference.what.as_str()).collect();
    let words = "group x is in the fake, the role map gives it something, and it was never pushed";
    assert_eq!((told, kept.looked.mapped), (vec![words], 2));
    assert_eq!(kept.ripe_removals(time::Duration::ZERO).count(), 0, "nothing is taken because of it");
    looked(&fake, &mut kept, Extent::Differences).await;
    assert_eq!((fake.asked().join(" "), kept.found.len()), ("x".to_owned(), 1));
    // The map names it no more, or it was pushed.
    fake.mapped.retain(|name| name != "x");
    looked(&fake, &mut kept, Extent::Differences).await;
    assert_eq!(kept.found.len(), 0);
}
