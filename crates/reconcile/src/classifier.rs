//! Workload classifiers of a dedicated pool: which workload group the requests of a role's members run in.
//!
//! They give nobody anything, so they are no part of the graph. Those whose name is `ROLE:GROUP`, for a role that Axon manages, are
//! its own; all others are let be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::plan::{Plan, Planned};
use crate::scope::Scope;
use crate::step::{Step, StepKind};

/// How urgent requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the grammar")]
pub enum Importance {
    Low,
    BelowNormal,
    #[default]
    Normal,
    AboveNormal,
    High,
}

impl Importance {
    /// All of them, from the least.
    pub const ALL: [Self; 5] = [Self::Low, Self::BelowNormal, Self::Normal, Self::AboveNormal, Self::High];

    /// The word, as the catalog has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::BelowNormal => "below_normal",
            Self::Normal => "normal",
            Self::AboveNormal => "above_normal",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Importance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// No importance has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an importance: one of low, below_normal, normal, above_normal, high")]
pub struct BadImportance;

impl FromStr for Importance {
    type Err = BadImportance;

    fn from_str(text: &str) -> Result<Self, BadImportance> {
        Self::ALL.into_iter().find(|i| i.word().eq_ignore_ascii_case(text.trim())).ok_or(BadImportance)
    }
}

/// A minute of the day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MinuteOfDay(u16);

/// It is no time of a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the day: two digits for the hour and two for the minute, 00:00 to 23:59")]
pub struct BadTime;

impl FromStr for MinuteOfDay {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let two = |digits: &str| match digits.as_bytes() {
            [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Ok(u16::from(a - b'0') * 10 + u16::from(b - b'0')),
            _ => Err(BadTime),
        };
        let (hour, minute) = text.split_once(':').ok_or(BadTime)?;
        match (two(hour)?, two(minute)?) {
            (hour @ ..24, minute @ ..60) => Ok(Self(hour * 60 + minute)),
            _ => Err(BadTime),
        }
    }
}

impl TryFrom<String> for MinuteOfDay {
    type Error = BadTime;

    fn try_from(text: String) -> Result<Self, BadTime> {
        text.parse()
    }
}

impl From<MinuteOfDay> for String {
    fn from(time: MinuteOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// The hours of each day in which a classifier counts, in UTC; over midnight where the end is the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hours {
    /// The first minute.
    pub from: MinuteOfDay,
    /// The end.
    pub until: MinuteOfDay,
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} until {}", self.from, self.until)
    }
}

/// What a classifier does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Classified {
    /// The workload group that they run in.
    pub group: SqlName,
    /// How urgent they are.
    pub importance: Importance,
    /// Only those with this label.
    pub label: Option<SqlName>,
    /// Only those of sessions with this context.
    pub context: Option<SqlName>,
    /// Only those that come in these hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

impl std::hash::Hash for Importance {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (*self as u8).hash(state);
    }
}

impl fmt::Display for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, importance, label, context, hours } = self;
        write!(f, "{group}, importance {importance}")?;
        label.map_or(Ok(()), |label| write!(f, ", with label {label}"))?;
        context.map_or(Ok(()), |context| write!(f, ", with context {context}"))?;
        hours.map_or(Ok(()), |hours| write!(f, ", {hours} UTC"))
    }
}

/// One classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classifier {
    /// Its name, `ROLE:GROUP` where it is Axon's own.
    pub name: SqlName,
    /// Whose requests: a role, where it is Axon's own.
    pub member: SqlName,
    /// What it does with them; none where it says more than a line of a map does.
    pub does: Option<Classified>,
    /// Whether it has hours that cannot be read: what it does is not known.
    #[serde(default)]
    pub unread: bool,
}

/// A step about a classifier. There is no statement that changes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "classifier")]
#[expect(missing_docs, reason = "the fields are the words of the statement")]
pub enum ClassifierStep {
    /// `CREATE WORKLOAD CLASSIFIER`
    Create { name: SqlName, member: SqlName, does: Classified },
    /// `DROP WORKLOAD CLASSIFIER`
    Drop { name: SqlName, member: SqlName },
}

impl ClassifierStep {
    /// Its kind.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::Create { .. } => StepKind::CreateClassifier,
            Self::Drop { .. } => StepKind::DropClassifier,
        }
    }

    /// Whose requests it is about.
    pub fn subject(&self) -> SqlName {
        match self {
            Self::Create { member, .. } | Self::Drop { member, .. } => *member,
        }
    }

    /// The classifier.
    pub fn name(&self) -> SqlName {
        match self {
            Self::Create { name, .. } | Self::Drop { name, .. } => *name,
        }
    }

    /// Whether these classifiers show its effect.
    pub fn holds(&self, there: &[Classifier]) -> bool {
        let found = there.iter().find(|c| c.name == self.name());
        match self {
            Self::Create { member, does, .. } => {
                // Whose hours cannot be read is there: more than that no look will tell.
                found.is_some_and(|c| c.member == *member && (c.does == Some(*does) || c.unread))
            }
            Self::Drop { .. } => found.is_none(),
        }
    }
}

impl fmt::Display for ClassifierStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, member, does } => {
                write!(f, "create classifier {name}: requests of {member} run in {does}")
            }
            Self::Drop { name, member } => write!(f, "drop classifier {name} of {member}"),
        }
    }
}

/// The name that Axon gives to the classifier of a role for a group; none where it would be too long for a name.
pub fn name_of(member: SqlName, group: SqlName) -> Option<SqlName> {
    SqlName::parse(&format!("{member}:{group}")).ok()
}

/// What is wanted of one role.
pub type Wanted = (SqlName, Classified);

/// The steps that are needed, and what no step can bring about.
fn diff(wanted: &[Wanted], there: &[Classifier], scope: &Scope) -> (Vec<ClassifierStep>, Vec<Finding>) {
    let by_name: BTreeMap<SqlName, &Classifier> = there.iter().map(|c| (c.name, c)).collect();
    let is_ours = |c: &Classifier| {
        let group = c.name.folded().strip_prefix(c.member.folded()).and_then(|rest| rest.strip_prefix(':'));
        group.is_some() && scope.manages_role(c.member)
    };
    let (mut steps, mut findings, mut kept) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (member, does) in wanted {
        let Some(name) = name_of(*member, does.group).filter(|_| scope.manages_role(*member)) else {
            findings.push(Finding::OutOfScope { name: *member });
            continue;
        };
        kept.insert(name);
        match by_name.get(&name) {
            Some(found) if found.member == *member && found.does == Some(*does) => {}
            Some(found) if !is_ours(found) => findings.push(Finding::OutOfScope { name }),
            // Made anew, it would be as unreadable, again and again.
            Some(found) if found.unread && found.member == *member => {
                findings.push(Finding::ClassifierUnread { name });
            }
            found => {
                steps.extend(found.map(|c| ClassifierStep::Drop { name, member: c.member }));
                steps.push(ClassifierStep::Create { name, member: *member, does: *does });
            }
        }
    }
    let gone = there.iter().filter(|c| is_ours(c) && !kept.contains(&c.name));
    steps.splice(0..0, gone.map(|c| ClassifierStep::Drop { name: c.name, member: c.member }));
    (steps, findings)
}

/// Puts what is needed behind a plan about permissions: a role is there before its requests are classified.
pub fn put_into(plan: &mut Plan, wanted: &[Wanted], there: &[Classifier], scope: &Scope) {
    let (steps, findings) = diff(wanted, there, scope);
    plan.steps.extend(steps.into_iter().map(|step| Planned::from(Step::Classify(step))));
    plan.findings.extend(findings);
    plan.findings.sort();
    plan.findings.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::{Glob, ManagedPrincipals};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn does(group: &str, importance: Importance) -> Classified {
        Classified { group: name(group), importance, label: None, context: None, hours: None }
    }

    fn there(named: &str, member: &str, does: Option<Classified>) -> Classifier {
        Classifier { name: name(named), member: name(member), does, unread: false }
    }

    fn told(wanted: &[Wanted], there: &[Classifier]) -> Vec<String> {
        let scope = Scope {
            roles: vec![Glob::new("axon_*")],
            named_roles: BTreeSet::new(),
            given: BTreeSet::new(),
            schemas: Vec::new(),
            principals: ManagedPrincipals::Mapped(BTreeSet::new()),
            untouchable: BTreeSet::new(),
        };
        let mut plan = Plan::default();
        put_into(&mut plan, wanted, there, &scope);
        let findings = plan.findings.iter().map(|f| format!("! {f}"));
        plan.steps.iter().map(ToString::to_string).chain(findings).collect()
    }

    #[test]
    fn what_is_wanted_is_made_what_changed_is_made_anew_and_what_is_another_s_is_let_be() {
        let role = name("axon_loader");
        let wanted = [(role, does("largerc", Importance::High))];
        assert_eq!(
            told(&wanted, &[]),
            [
                "create classifier axon_loader:largerc: requests of axon_loader run in largerc, importance high"
            ]
        );
        let same = there("AXON_loader:largerc", "axon_loader", Some(wanted[0].1));
        assert!(told(&wanted, std::slice::from_ref(&same)).is_empty());
        let by_hand = there("loads", "axon_loader", Some(wanted[0].1));
        let of_others = there("kim:largerc", "kim", None);
        assert!(told(&wanted, &[same.clone(), by_hand.clone(), of_others.clone()]).is_empty());
        let more = Classifier { does: None, ..same.clone() };
        assert_eq!(told(&wanted, &[more]).len(), 2, "dropped and made anew");
        let nights = Hours { from: time("22:00"), until: time("06:00") };
        let by_night = Classified { hours: Some(nights), ..wanted[0].1 };
        let of_nights = Classifier { does: Some(by_night), ..same.clone() };
        assert_eq!(told(&[(role, by_night)], std::slice::from_ref(&of_nights)), [""; 0]);
        assert_eq!(
            told(&[(role, by_night)], std::slice::from_ref(&same)),
            [
                "drop classifier axon_loader:largerc of axon_loader",
                "create classifier axon_loader:largerc: requests of axon_loader run in largerc, importance high, \
                 from 22:00 until 06:00 UTC"
            ]
        );
        assert_eq!(told(&wanted, std::slice::from_ref(&of_nights)).len(), 2, "hours that no line says go");
        assert_eq!(
            told(&[], &[same, by_hand, of_others]),
            ["drop classifier AXON_loader:largerc of axon_loader"]
        );
        let unread = Classifier { does: None, unread: true, ..of_nights };
        assert_eq!(
            told(&[(role, by_night)], std::slice::from_ref(&unread)),
            [
                "! the hours of classifier axon_loader:largerc cannot be read, so whether it is as the map says is not known: look at it \
                 there, and drop it by hand where it is not"
            ]
        );
        let made = ClassifierStep::Create { name: unread.name, member: role, does: by_night };
        assert!(made.holds(std::slice::from_ref(&unread)), "it was made, and is not made again");
        assert_eq!(
            told(&[], &[unread]),
            ["drop classifier AXON_loader:largerc of axon_loader"],
            "no line asks for it"
        );
        let taken = there("axon_loader:largerc", "kim", None);
        assert_eq!(told(&wanted, &[taken]).len(), 1, "the name is another's");
        assert_eq!(told(&[(name("other"), wanted[0].1)], &[]).len(), 1);
    }

    fn time(text: &str) -> MinuteOfDay {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_of_the_day_reads_back_and_no_other_text_is_one() {
        for text in ["00:00", "09:05", "23:59"] {
            assert_eq!(time(text).to_string(), text);
            assert_eq!(serde_json::from_str::<MinuteOfDay>(&format!("\"{text}\"")).unwrap(), time(text));
        }
        for text in ["", "24:00", "12:60", "9:00", "09:5", "+1:00", "09:00:00", "0900", "\u{661}2:00"] {
            assert_eq!(text.parse::<MinuteOfDay>(), Err(BadTime), "{text}");
        }
        assert!(time("09:05") < time("23:59"));
    }

    #[test]
    fn an_importance_reads_back_from_its_word() {
        for importance in Importance::ALL {
            assert_eq!(importance.word().to_uppercase().parse(), Ok(importance));
        }
        assert_eq!("urgent".parse::<Importance>(), Err(BadImportance));
    }
}
