//! Who is in: sessions, and the principals of a graph that they are of.
//!
//! A security id tells a person from another one of the same name, and knows one again who was renamed. So it decides wherever both
//! sides tell one, and the name does where one of them does not. Of principals that are gone the graph has no id: whoever calls says
//! which ids had a name.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use crate::graph::{Connect, Graph};
use crate::target::Sid;

/// Somebody who has a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visitor {
    /// The login that entered, whoever it acts as by now.
    pub login: SqlName,
    /// Its security id, where the place tells it.
    pub sid: Option<Sid>,
}

/// Which ids principals of a name had, those that are gone too. Only ids that [tell](Sid::tells) somebody from all others are of use.
pub type Bearers = BTreeMap<SqlName, Vec<Sid>>;

/// Those who are in and ought not to be, by the name that their sessions are ended under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uninvited {
    /// Logins that are no principal: they entered by a group, administer the server, or their user was dropped meanwhile. Nothing but
    /// the name tells of them.
    pub unknown: BTreeSet<SqlName>,
    /// The same with the id that their session tells, which no principal is known to have had: somebody whom a group lets in, or who
    /// had a user that nobody looked at.
    pub strangers: BTreeSet<(SqlName, Sid)>,
    /// Those whose user is gone, whoever has the name now: the name that they had, and their id.
    pub former: BTreeSet<(SqlName, Sid)>,
    /// Principals that may not connect.
    pub shut_out: BTreeSet<SqlName>,
    /// Principals that may not connect, and under whose name somebody else is in.
    pub namesakes: BTreeSet<SqlName>,
}

/// Whether a session is a principal's: by the security id where both tell one that can be compared, else by `named`, which says whether
/// the login has the principal's name.
pub fn is_of(principal: Option<&Sid>, session: Option<&Sid>, named: bool) -> bool {
    match (principal, session) {
        (Some(a), Some(b)) if a.tells() && b.tells() => a == b,
        (Some(a), Some(b)) => named || a == b,
        _ => named,
    }
}

/// Whether nothing but the name tells whose a session is. Of a name that no principal has, these are ended by the name; whoever tells
/// an id may be another person, and is ended by that id where it is theirs.
pub fn is_by_name(session: Option<&Sid>, named: bool) -> bool {
    named && !session.is_some_and(Sid::tells)
}

/// Who of these visitors ought not to be in.
pub fn uninvited(graph: &Graph, visitors: &[Visitor], bearers: &Bearers) -> Uninvited {
    let mut found = Uninvited::default();
    let sids: BTreeSet<&Sid> = visitors.iter().filter_map(|visitor| visitor.sid.as_ref()).collect();
    if visitors.is_empty() {
        return found;
    }
    let mut once: BTreeMap<&Sid, Vec<SqlName>> = BTreeMap::new();
    for (name, ids) in bearers {
        for sid in ids.iter().filter(|sid| sid.tells() && sids.contains(sid)) {
            once.entry(sid).or_default().push(*name);
        }
    }
    let holders = graph.principals.iter().filter_map(|(name, principal)| {
        let sid = principal.sid.as_ref()?;
        sids.contains(sid).then_some((sid, *name))
    });
    let mut by_sid: BTreeMap<&Sid, BTreeSet<SqlName>> = BTreeMap::new();
    for (sid, name) in holders {
        by_sid.entry(sid).or_default().insert(name);
    }
    for visitor in visitors {
        let sid = visitor.sid.as_ref();
        let mut owners = sid.and_then(|sid| by_sid.get(sid)).cloned().unwrap_or_default();
        let named = graph.principals.get_key_value(&visitor.login);
        if let Some((name, there)) = named
            && is_of(there.sid.as_ref(), sid, true)
        {
            owners.insert(*name);
        }
        let shut = |name: &SqlName| graph.principals[name].connect == Connect::Denied;
        if owners.is_empty() {
            let was = sid.and_then(|sid| Some((sid, once.get(sid)?)));
            match (was, named) {
                (Some((sid, those)), _) => found.former.extend(those.iter().map(|name| (*name, sid.clone()))),
                (None, Some((name, _))) => found.namesakes.extend(Some(*name).filter(|name| shut(name))),
                (None, None) => match sid.filter(|sid| sid.tells()) {
                    Some(sid) => drop(found.strangers.insert((visitor.login, sid.clone()))),
                    None => drop(found.unknown.insert(visitor.login)),
                },
            }
        }
        found.shut_out.extend(owners.into_iter().filter(shut));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Principal, PrincipalKind};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn sid(last: u8) -> Sid {
        Sid::from_bytes(&[&[7_u8; 15][..], &[last]].concat())
    }

    fn graph(principals: &[(&str, Option<Sid>, Connect)]) -> Graph {
        let mut graph = Graph::default();
        for (who, sid, connect) in principals {
            let kind = PrincipalKind::External;
            let principal = Principal { kind, sid: sid.clone(), connect: *connect, created: None };
            graph.principals.insert(name(who), principal);
        }
        graph
    }

    fn visitor(login: &str, sid: Option<Sid>) -> Visitor {
        Visitor { login: name(login), sid }
    }

    fn names(names: &BTreeSet<SqlName>) -> Vec<&str> {
        names.iter().map(|name| name.as_str()).collect()
    }

    #[test]
    fn a_session_of_a_renamed_person_is_the_leavers_and_one_of_a_namesake_is_not() {
        let graph = graph(&[
            ("kim", Some(sid(1)), Connect::Denied),
            ("ana", Some(sid(2)), Connect::Granted),
            ("lee", Some(sid(3)), Connect::Denied),
        ]);
        let found = uninvited(
            &graph,
            &[
                visitor("kim.renamed", Some(sid(1))),
                visitor("ana", Some(sid(2))),
                visitor("lee", Some(sid(9))),
            ],
            &Bearers::new(),
        );
        assert_eq!(names(&found.shut_out), ["kim"]);
        assert_eq!(names(&found.unknown), Vec::<&str>::new(), "a namesake has a principal of that name");
        assert_eq!(names(&found.namesakes), ["lee"], "and is told of: the door is shut to the name");
    }

    #[test]
    fn whose_user_is_gone_is_known_by_the_id_whoever_has_the_name_now() {
        let bearers = Bearers::from([(name("kim"), vec![sid(1), sid(4)]), (name("ana"), vec![sid(2)])]);
        let leaver = (name("kim"), sid(1));
        for taken in [&[][..], &[("kim", Some(sid(8)), Connect::Granted)]] {
            let found = uninvited(
                &graph(taken),
                &[
                    visitor("KIM", Some(sid(1))),
                    visitor("kim", Some(sid(9))),
                    visitor("kim.new", Some(sid(2))),
                ],
                &bearers,
            );
            assert_eq!(found.former, [leaver.clone(), (name("ana"), sid(2))].into(), "under a new name too");
            assert_eq!(found.unknown, BTreeSet::new(), "a namesake whom a group lets in tells an id");
            let strangers = if taken.is_empty() { vec![(name("kim"), sid(9))] } else { vec![] };
            assert_eq!(
                found.strangers,
                strangers.into_iter().collect(),
                "and whose it was, whoever calls knows"
            );
        }
        // Who has the id under whatever name is no former one.
        let found = uninvited(
            &graph(&[("kim.new", Some(sid(1)), Connect::Granted)]),
            &[visitor("kim", Some(sid(1))), visitor("kim", None)],
            &bearers,
        );
        assert_eq!(found.former, BTreeSet::new());
        assert_eq!(names(&found.unknown), ["kim"], "who tells no id is known by the name");
    }

    #[test]
    fn where_no_id_is_told_the_name_decides() {
        let graph = graph(&[("kim", None, Connect::Denied), ("lee", Some(sid(3)), Connect::Denied)]);
        let found = uninvited(
            &graph,
            &[visitor("KIM", Some(sid(1))), visitor("lee", None), visitor("zoe", None)],
            &Bearers::new(),
        );
        assert_eq!(names(&found.shut_out), ["kim", "lee"]);
        assert_eq!(names(&found.unknown), ["zoe"]);
        assert_eq!(found.strangers, BTreeSet::new());
        // What is no id of the directory, as an administrator's `0x01`, proves nothing.
        let odd = Sid::from_bytes(&[1]);
        assert!(is_of(Some(&sid(3)), Some(&odd), true) && !is_of(Some(&sid(3)), Some(&odd), false));
        assert!(is_of(Some(&odd), Some(&odd), false));
        assert!(is_by_name(None, true) && is_by_name(Some(&odd), true));
        assert!(!is_by_name(Some(&sid(3)), true) && !is_by_name(None, false));
    }

    #[test]
    fn the_suffix_of_an_entra_login_makes_no_other_person() {
        let long = Sid::from_bytes(&[sid(1).as_bytes(), b"AADE"].concat());
        assert!(is_of(Some(&sid(1)), Some(&long), false));
        assert!(!is_of(Some(&sid(2)), Some(&long), true));
    }
}
