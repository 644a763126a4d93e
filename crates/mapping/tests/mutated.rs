//! A thousand spoiled maps: none panics, none is read by half, each fault names a place inside the file.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use axon_mapping::RoleMap;
use axon_mapping::rule::{Gives, Who};
use proptest::prelude::*;
use serde_json::Value;

/// The language's own example, and a key that it does not have.
const WHOLE: &str = concat!(
    include_str!("fixtures/language.yaml"),
    "\ntags:\n  pii: [email, \"*phone*\"]\n  money: [amount]\n"
);

#[derive(Debug, Clone)]
enum Spoil {
    /// Bytes go.
    Cut(usize, usize),
    /// Something comes in.
    Insert(usize, &'static str),
    /// A line goes, or stands twice.
    DropLine(usize),
    TwiceLine(usize),
    /// Two lines change places.
    Swap(usize, usize),
    /// A letter becomes another.
    Letter(usize, char),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let words = prop::sample::select(vec![
        "\t", "\u{feff}", "&x ", "*x", "!!str ", "---\n", "{", "}", "[", "]", "\"", "'", ": ", "- ", "#",
        "${env}", "${", "${env:X}", "{role}", "(", ")", "\u{202e}", "é", "\0", ",", "null", "::", "..", "%",
    ]);
    prop_oneof![
        (any::<usize>(), 1..12usize).prop_map(|(at, n)| Spoil::Cut(at, n)),
        (any::<usize>(), words).prop_map(|(at, word)| Spoil::Insert(at, word)),
        any::<usize>().prop_map(Spoil::DropLine),
        any::<usize>().prop_map(Spoil::TwiceLine),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Spoil::Swap(a, b)),
        (any::<usize>(), prop::char::range('a', 'z')).prop_map(|(at, c)| Spoil::Letter(at, c)),
    ]
}

fn at(text: &str, n: usize) -> usize {
    text.floor_char_boundary(n % (text.len() + 1))
}

fn apply(text: &str, spoil: &Spoil) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    match spoil {
        Spoil::Cut(from, n) => {
            let from = at(text, *from);
            let to = text.floor_char_boundary((from + n).min(text.len()));
            format!("{}{}", &text[..from], &text[to.max(from)..])
        }
        Spoil::Insert(n, word) => {
            let n = at(text, *n);
            format!("{}{word}{}", &text[..n], &text[n..])
        }
        Spoil::DropLine(n) => {
            let n = n % lines.len();
            let kept: Vec<&str> =
                lines.iter().enumerate().filter(|(i, _)| *i != n).map(|(_, line)| *line).collect();
            kept.join("\n")
        }
        Spoil::TwiceLine(n) => {
            let mut lines = lines;
            let n = n % lines.len();
            lines.insert(n, lines[n]);
            lines.join("\n")
        }
        Spoil::Swap(a, b) => {
            let mut lines = lines;
            let (a, b) = (a % lines.len(), b % lines.len());
            lines.swap(a, b);
            lines.join("\n")
        }
        Spoil::Letter(n, c) => {
            let n = at(text, *n);
            let next = text[n..].chars().next().map_or(0, char::len_utf8);
            format!("{}{c}{}", &text[..n], &text[n + next..])
        }
    }
}

/// How many things stand there: each once, up to each as often as it is said.
fn stand(plain: &Value) -> RangeInclusive<usize> {
    match plain {
        Value::Object(entries) => entries.len()..=entries.len(),
        Value::Array(items) => {
            let once: BTreeSet<String> = items.iter().map(Value::to_string).collect();
            once.len()..=items.len()
        }
        Value::Null => 0..=0,
        _ => 1..=1,
    }
}

/// Under every key of the language that holds many things: how many the map has, and how many there ought to be.
fn counted(map: &RoleMap, plain: &Value) -> Vec<(String, usize, RangeInclusive<usize>)> {
    let mut counted = Vec::new();
    let mut count = |what: String, found: usize, plain: &Value| counted.push((what, found, stand(plain)));
    for (key, found) in [
        ("targets", map.targets.len()),
        ("roles", map.roles.len()),
        ("mappings", map.mappings.len()),
        ("services", map.services.len()),
        ("views", map.views.len()),
        ("tags", map.tags.len()),
        ("tests", map.tests.len()),
    ] {
        count(key.to_owned(), found, &plain[key]);
    }
    count("separate".into(), map.rules.separate.len(), &plain["rules"]["separate"]);
    count("forbid".into(), map.rules.forbid.len(), &plain["rules"]["forbid"]);
    let guards = &plain["guards"];
    count("protect".into(), map.guards.protect.len(), &guards["protect"]);
    count("hold".into(), map.guards.hold.len(), &guards["steps"]["hold"]);
    count(
        "removals".into(),
        map.guards.removals.iter().len(),
        &Value::from_iter(guards.get("removals").filter(|said| !said.is_null()).map(|_| 1)),
    );
    count(
        "leavers".into(),
        map.guards.leavers.iter().len(),
        &Value::from_iter(guards.get("leavers").filter(|said| !said.is_null()).map(|_| 1)),
    );
    for (name, role) in &map.roles {
        let said = &plain["roles"][name.as_str()];
        count(format!("{name}: includes"), role.includes.len(), &said["includes"]);
        count(format!("{name}: impersonate"), role.impersonate.len(), &said["impersonate"]);
        count(format!("{name}: define"), role.define.len(), &said["define"]);
        // A set stands for its targets.
        for (target, lines) in &role.grants {
            let of = |key: &str| said["grants"][key].as_array().cloned().unwrap_or_default();
            let sets = plain["target-sets"].as_object().into_iter().flatten();
            let sets = sets.filter(|(_, members)| {
                members.as_array().into_iter().flatten().any(|member| member == target.as_str())
            });
            let lines_of_sets = sets.flat_map(|(set, _)| of(set));
            let all: Vec<Value> = of(target.as_str()).into_iter().chain(lines_of_sets).collect();
            count(format!("{name}: lines in {target}"), lines.len(), &Value::from(all));
        }
    }
    for (mapping, said) in map.mappings.iter().zip(plain["mappings"].as_array().into_iter().flatten()) {
        let at = &mapping.place;
        if let Who::Groups { groups, .. } = &mapping.who {
            count(format!("{at}: any"), groups.any.len(), &said["groups"]["any"]);
            count(format!("{at}: all"), groups.all.len(), &said["groups"]["all"]);
            count(format!("{at}: none"), groups.none.len(), &said["groups"]["none"]);
        }
        match &mapping.gives {
            Gives::Roles(roles) => count(format!("{at}: roles"), roles.len(), &said["roles"]),
            Gives::Captured { only, .. } => count(format!("{at}: only"), only.len(), &said["only"]),
        }
        count(format!("{at}: when"), mapping.when.iter().len(), &said["when"]);
        count(format!("{at}: until"), mapping.until.iter().len(), &said["until"]);
    }
    for view in &map.views {
        let views = plain["views"].as_object().into_iter().flatten();
        let mut said = views.filter(|(_, said)| said.is_object());
        if let (Some((_, said)), None) = (said.next(), said.next()) {
            count(format!("{}: columns", view.name), view.columns.len(), &said["columns"]);
            count(format!("{}: rows", view.name), view.rows.len(), &said["rows"]);
        }
    }
    for (test, said) in map.tests.iter().zip(plain["tests"].as_array().into_iter().flatten()) {
        for (key, found) in [("has", test.has.len()), ("lacks", test.lacks.len())] {
            let lines = said[key].as_object().into_iter().flatten().filter_map(|(_, lines)| lines.as_array());
            let lines: Vec<Value> = lines.flatten().cloned().collect();
            count(format!("{}: {key}", test.place), found, &Value::from(lines));
        }
    }
    counted
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_spoiled_map_is_read_whole_or_refused_with_places(spoils in prop::collection::vec(spoil(), 1..4)) {
        let text = spoils.iter().fold(WHOLE.to_owned(), |text, spoil| apply(&text, spoil));
        let lines = text.replace("\r\n", "\n").replace('\r', "\n").split('\n').count();
        match RoleMap::parse(&[("role-map.yaml", &text)]) {
            Ok(map) => {
                // What another reader of YAML finds under each key is in the map, neither more nor less.
                let plain: Value = serde_saphyr::from_str(&text).expect("what is a map is YAML");
                for (what, found, stands) in counted(&map, &plain) {
                    prop_assert!(stands.contains(&found), "{what}: {found} are read, {stands:?} stand in\n{text}");
                }
            }
            Err(faults) => {
                prop_assert!(!faults.faults().is_empty());
                for fault in faults.faults() {
                    prop_assert_eq!(&*fault.place.file, "role-map.yaml");
                    prop_assert!((1..=lines).contains(&(fault.place.line as usize)), "{}", fault);
                    prop_assert!(fault.place.column >= 1 && !fault.message.is_empty());
                    prop_assert!(!fault.to_string().contains(['\u{202e}', '\0']), "{:?}", fault);
                }
            }
        }
    }
}

#[test]
fn what_is_made_to_exhaust_is_refused_at_once() {
    let bomb = format!("a: &a [{0}]\nb: &b [{1}]\n", ["x"; 9].join(","), ["*a"; 9].join(","));
    let loops = "axon: 1\nroles: &r\n  a: *r\n";
    let many = format!("axon: 1\nroles: {{{}}}\n", "r: {}, ".repeat(300_000));
    let deep = format!("axon: 1\nroles: {}", "{a: ".repeat(100_000));
    let huge = format!("axon: 1\nroles:\n{}", "# filler\n".repeat(6_000_000));
    for (text, said) in [
        (bomb.as_str(), "anchors, aliases and tags of YAML are not part of the language"),
        (loops, "anchors, aliases and tags of YAML are not part of the language"),
        (huge.as_str(), "m.yaml:1:1: the file has 54000015 bytes; at most 8388608 are read"),
        (many.as_str(), "m.yaml:2:16: key `r` is given twice; first at m.yaml:2:9"),
        (deep.as_str(), "m.yaml:2:"),
        (
            "axon: 1\nroles: {a: {}}\nroles: {b: {}}\n",
            "m.yaml:3:1: key `roles` is given twice; first at m.yaml:2:1",
        ),
        ("axon: 1\nroles:\n\ta: {}\n", "m.yaml:3:1: a tab stands where the line is indented"),
        ("\u{feff}axon: 1\n", "m.yaml:1:1: a byte order mark stands here"),
        (
            "axon: 1\nroles: !!map {}\n",
            "m.yaml:2:8: anchors, aliases and tags of YAML are not part of the language",
        ),
    ] {
        let begun = std::time::Instant::now();
        let faults = RoleMap::parse(&[("m.yaml", text)]).expect_err("it is refused");
        assert!(faults.to_string().contains(said), "{faults}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{said}: {:?}", begun.elapsed());
    }
}
