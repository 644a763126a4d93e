//! Which steps lead from the views that are there to those that ought to be.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::filter::{FilterShown, TableFilter};
use super::filtering;
use super::{KeyFault, ManagedTable, Metadata, SecureStep, ViewText, ViewsThere};
use crate::finding::Finding;
use crate::shape::ObjectName;
use crate::target::Refusal;
use crate::view_body::{Cell, TypedMask, ViewBody};

/// What ought to be.
#[derive(Clone, Copy)]
pub struct ViewsWanted<'a> {
    /// Where profiles and keys are.
    pub metadata: Metadata,
    /// Views that can be what the map says.
    pub bodies: &'a [ViewBody],
    /// Those that cannot, and why.
    pub closed: &'a BTreeMap<ObjectName, String>,
    /// Schemas of the target with their owners.
    pub schemas: &'a BTreeMap<SqlName, Option<SqlName>>,
    /// Names that users or roles of the target have.
    pub taken: &'a dyn Fn(SqlName) -> bool,
    /// The digest of a view's text.
    pub digest: &'a dyn Fn(ViewText<'_>) -> Option<String>,
    /// Who reads a view and reaches its table past it, in words.
    pub past: &'a dyn Fn(&ViewBody) -> Option<String>,
    /// Why the target refused a view's text lately, if it did: then it shows nothing until it is taken.
    pub refused: &'a dyn Fn(&SecureStep) -> Option<String>,
    /// Keys that are not as they were when Axon made them.
    pub keys: &'a BTreeMap<String, KeyFault>,
    /// Filters of tables.
    pub filters: &'a [TableFilter],
    /// Tables whose filter cannot be told now: the one that is there stays.
    pub kept: &'a BTreeSet<ObjectName>,
    /// What the target shows of a filter.
    pub shown: &'a dyn Fn(&TableFilter) -> Option<FilterShown>,
    /// Whether somebody may read single columns of a table.
    pub opened: &'a dyn Fn(ObjectName) -> bool,
}

/// The steps, and what none of them can bring about.
pub fn diff(wanted: &ViewsWanted<'_>, there: &ViewsThere) -> (Vec<SecureStep>, Vec<Finding>) {
    let mut found = Found::default();
    if let Some(because) = unsafe_because(wanted, there) {
        found.findings.push(Finding::ViewsUnsafe { because: because.clone() });
        for name in wanted.bodies.iter().map(|body| body.name).chain(wanted.closed.keys().copied()) {
            found.close(wanted, there, name, &because);
        }
    } else {
        if !wanted.bodies.is_empty() {
            found.ground(wanted, there);
        }
        let filtering = filtering::look(wanted, there);
        found.steps.extend(filtering.steps);
        found.findings.extend(filtering.findings);
        for body in wanted.bodies {
            found.body(wanted, there, body, filtering.against.get(&body.from));
        }
        for (name, because) in wanted.closed {
            found.findings.push(Finding::ViewShowsNothing { view: *name, because: because.clone() });
            found.close(wanted, there, *name, because);
        }
    }
    found.others(wanted, there);
    let told = found.findings.into_iter().map(|finding| as_it_stands(finding, wanted, there));
    (found.steps, told.collect())
}

/// That a view shows nothing is said of one that does: until its step was done it shows what it showed.
fn as_it_stands(finding: Finding, wanted: &ViewsWanted<'_>, there: &ViewsThere) -> Finding {
    let open = |view: &ObjectName| {
        let found = there.views.get(view);
        found.is_some_and(|found| found.digest != (wanted.digest)(ViewText::Closed(*view)))
    };
    match finding {
        Finding::ViewShowsNothing { view, because } | Finding::ReadPastView { view, because }
            if open(&view) =>
        {
            Finding::ViewStillOpen { view, because }
        }
        other => other,
    }
}

/// What keeps every view of the target from being safe.
fn unsafe_because(wanted: &ViewsWanted<'_>, there: &ViewsThere) -> Option<String> {
    let Metadata { schema, owner, .. } = wanted.metadata;
    if wanted.bodies.is_empty() {
        return None;
    }
    if there.owner == Some(false) {
        return Some(format!(
            "{owner} is there and is no user without a login: name another one under `metadata.owner`"
        ));
    }
    if there.owner.is_none() && (wanted.taken)(owner) {
        return Some(format!(
            "{owner} is the name of something else: name another owner under `metadata.owner`"
        ));
    }
    if let Some(found) = wanted.schemas.get(&schema)
        && *found != Some(owner)
    {
        return Some(format!(
            "schema {schema} is not owned by {owner}: ALTER AUTHORIZATION ON SCHEMA::{schema} TO {owner}, or name another schema under `metadata.schema`"
        ));
    }
    if there.result_set_caching == Some(true) {
        return Some(
            "result-set caching is on, which may give one person's rows to another: ALTER DATABASE … SET RESULT_SET_CACHING OFF"
                .into(),
        );
    }
    None
}

/// The keys that a view asks for.
fn keys_of(body: &ViewBody) -> impl Iterator<Item = &String> {
    body.columns.iter().filter_map(|column| match &column.cell {
        Cell::Masked { mask: TypedMask::Hash { key, .. }, .. } => Some(key),
        Cell::Masked { .. } | Cell::Clear => None,
    })
}

/// Whether the words say that the target took a step and does not show it.
fn not_shown(words: &str) -> bool {
    words.ends_with(Refusal::NOT_SHOWN)
}

#[derive(Default)]
struct Found {
    steps: Vec<SecureStep>,
    findings: Vec<Finding>,
}

impl Found {
    /// What views stand on: the owner, schemas, tables, keys.
    fn ground(&mut self, wanted: &ViewsWanted<'_>, there: &ViewsThere) {
        let Metadata { schema, owner, .. } = wanted.metadata;
        if there.owner.is_none() {
            self.steps.push(SecureStep::CreateOwner { name: owner });
        }
        let mut schemas: BTreeSet<SqlName> = wanted.bodies.iter().map(|body| body.name.schema).collect();
        schemas.insert(schema);
        for name in schemas.into_iter().filter(|name| !wanted.schemas.contains_key(name)) {
            self.steps.push(SecureStep::CreateSchema { name, owner });
        }
        let needed = ManagedTable::ALL.into_iter().filter(|table| table.needed(&wanted.metadata));
        for table in needed.filter(|table| !there.managed.contains(table)) {
            self.steps.push(SecureStep::CreateTable { schema, table });
        }
        let keys: BTreeSet<&String> = wanted.bodies.iter().flat_map(keys_of).collect();
        for (id, fault) in wanted.keys {
            // What no view asks for may go.
            if *fault != KeyFault::Gone || keys.contains(id) {
                self.findings.push(Finding::MaskKey { schema, id: id.clone(), fault: *fault });
            }
        }
        for id in keys.into_iter().filter(|id| !there.keys.contains(*id) && !wanted.keys.contains_key(*id)) {
            self.steps.push(SecureStep::CreateKey { schema, id: id.clone() });
        }
    }

    fn body(
        &mut self,
        wanted: &ViewsWanted<'_>,
        there: &ViewsThere,
        body: &ViewBody,
        unfiltered: Option<&String>,
    ) {
        let metadata = wanted.metadata;
        if let Some(because) = unfiltered {
            let because = because.clone();
            self.close(wanted, there, body.name, &because);
            self.findings.push(Finding::ViewShowsNothing { view: body.name, because });
            return;
        }
        let strange = |id: &&String| wanted.keys.get(*id).is_some_and(|fault| *fault != KeyFault::Gone);
        if let Some((id, fault)) = keys_of(body).find(strange).and_then(|id| Some((id, wanted.keys.get(id)?)))
        {
            let because = format!("the key of {} {fault}", axon_model::name::shown(id));
            self.close(wanted, there, body.name, &because);
            self.findings.push(Finding::ViewShowsNothing { view: body.name, because });
            return;
        }
        let view = Box::new(body.clone());
        let past = (wanted.past)(body);
        let Some(found) = there.views.get(&body.name) else {
            if let Some(because) = past {
                self.findings.push(Finding::ViewShowsNothing { view: body.name, because });
                return;
            }
            let step = SecureStep::CreateView { view, metadata };
            if let Some(words) = (wanted.refused)(&step) {
                let because = format!("the target refused it: {words}");
                self.findings.push(Finding::ViewShowsNothing { view: body.name, because });
            }
            self.steps.push(step);
            return;
        };
        // Whoever reads the table itself needs no view, and one whose readers pass it promises what it does not keep.
        if let Some(because) = past {
            self.findings.push(Finding::ReadPastView { view: body.name, because: because.clone() });
            self.close(wanted, there, body.name, &because);
            return;
        }
        if let Some(owner) = found.owner
            && owner != metadata.owner
        {
            let because = format!("it is owned by {owner}, who could change it: drop it");
            self.findings.push(Finding::ViewShowsNothing { view: body.name, because: because.clone() });
            self.close(wanted, there, body.name, &because);
            return;
        }
        // Without words of its own a target shows none either.
        if (wanted.digest)(ViewText::Body(body)) == found.digest {
            return;
        }
        let unseen = found.digest.is_none();
        if !unseen && !found.intact {
            self.findings.push(Finding::ViewAltered { view: body.name });
        }
        let step = SecureStep::AlterView { view, metadata, unseen };
        let refused = (wanted.refused)(&step);
        let sent = unseen && refused.as_deref().is_some_and(not_shown);
        if sent {
            // The map's text was taken: whoever reads it keeps it, and the step waits so that nobody new does.
            self.findings.push(Finding::ViewUnseen { view: body.name, sent });
            self.steps.push(step);
            return;
        }
        if let Some(words) = refused {
            let because = format!("the target refused its text: {words}");
            self.findings.push(Finding::ViewShowsNothing { view: body.name, because: because.clone() });
            self.close(wanted, there, body.name, &because);
            return;
        }
        if unseen {
            self.findings.push(Finding::ViewUnseen { view: body.name, sent });
        }
        self.steps.push(step);
    }

    /// Closes a view that is there and not closed.
    fn close(&mut self, wanted: &ViewsWanted<'_>, there: &ViewsThere, view: ObjectName, because: &str) {
        let Some(found) = there.views.get(&view) else { return };
        if (wanted.digest)(ViewText::Closed(view)) == found.digest {
            return;
        }
        let unseen = found.digest.is_none();
        let step = SecureStep::CloseView { view, because: because.to_owned(), unseen };
        if unseen {
            let sent = (wanted.refused)(&step).as_deref().is_some_and(not_shown);
            self.findings.push(Finding::ViewUnseen { view, sent });
        }
        self.steps.push(step);
    }

    /// Views that the map does not name.
    fn others(&mut self, wanted: &ViewsWanted<'_>, there: &ViewsThere) {
        let named: BTreeSet<ObjectName> =
            wanted.bodies.iter().map(|body| body.name).chain(wanted.closed.keys().copied()).collect();
        for (view, found) in there.views.iter().filter(|(view, _)| !named.contains(view)) {
            if found.made {
                self.steps.push(SecureStep::DropView { view: *view });
            } else {
                self.findings.push(Finding::ViewNotMade { view: *view });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnType;
    use crate::secure::FoundView;
    use crate::view_body::{Rows, ShownColumn};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn object(text: &str) -> ObjectName {
        ObjectName { schema: name("secure"), name: name(text) }
    }

    fn body(text: &str) -> ViewBody {
        ViewBody {
            name: object(text),
            from: ObjectName { schema: name("sales"), name: name(text) },
            columns: vec![ShownColumn { name: name("id"), ty: ColumnType::Int, cell: Cell::Clear }],
            rows: Rows::All,
        }
    }

    fn metadata() -> Metadata {
        Metadata::new(name("axon"), name("axon_owner"))
    }

    #[expect(clippy::unnecessary_wraps, reason = "a target may have no words for a view")]
    fn digest(text: ViewText<'_>) -> Option<String> {
        Some(match text {
            ViewText::Body(body) => format!("{body}"),
            ViewText::Closed(name) => format!("closed {name}"),
        })
    }

    fn view(digest: &str, made: bool) -> FoundView {
        FoundView { digest: Some(digest.into()), made, intact: made, owner: None }
    }

    /// The steps and findings for these views, beside a target that is all set up but for what `change` does.
    fn told(
        bodies: &[ViewBody],
        closed: &[(&str, &str)],
        refused: Option<&str>,
        change: impl FnOnce(&mut ViewsThere, &mut BTreeMap<SqlName, Option<SqlName>>),
    ) -> Vec<String> {
        let owner = Some(name("axon_owner"));
        let mut schemas = BTreeMap::from([(name("axon"), owner), (name("secure"), owner)]);
        let mut there = ViewsThere {
            owner: Some(true),
            managed: ManagedTable::ALL.into(),
            result_set_caching: Some(false),
            ..ViewsThere::default()
        };
        change(&mut there, &mut schemas);
        let closed = closed.iter().map(|(view, why)| (object(view), (*why).to_owned())).collect();
        let wanted = ViewsWanted {
            metadata: metadata(),
            bodies,
            closed: &closed,
            schemas: &schemas,
            taken: &|_| false,
            past: &|_| None,
            digest: &digest,
            refused: &|_| refused.map(str::to_owned),
            keys: &BTreeMap::new(),
            filters: &[],
            kept: &BTreeSet::new(),
            shown: &|_| None,
            opened: &|_| false,
        };
        let (steps, findings) = diff(&wanted, &there);
        steps.iter().map(ToString::to_string).chain(findings.iter().map(|f| format!("! {f}"))).collect()
    }

    #[test]
    fn an_empty_target_is_set_up_from_the_ground() {
        let told = told(&[body("v")], &[], None, |there, schemas| {
            *there = ViewsThere::default();
            schemas.clear();
        });
        assert_eq!(
            told,
            [
                "create user axon_owner without login, the owner of views",
                "create schema axon owned by axon_owner",
                "create schema secure owned by axon_owner",
                "create table axon.profile",
                "create table axon.mask_keys",
                "create view secure.v of sales.v (id), every row",
            ]
        );
    }

    #[test]
    fn a_view_is_altered_in_place_and_a_hand_in_it_is_told() {
        let right = body("v").to_string();
        let alter = format!("alter view {right}");
        for (found, expected) in [
            (view(&right, true), Vec::new()),
            (view("older", true), vec![alter.clone()]),
            (
                view("by hand", false),
                vec![alter.clone(), "! somebody altered view secure.v by hand: its text is put back".into()],
            ),
        ] {
            let told = told(&[body("v")], &[], None, |there, _| {
                there.views.insert(object("v"), found);
            });
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_view_without_a_text_that_is_seen_gets_its_own_and_is_closed_where_it_is_to_be() {
        let hidden = |there: &mut ViewsThere, _: &mut BTreeMap<_, _>| {
            let found = FoundView { digest: None, made: false, intact: false, owner: None };
            there.views.insert(object("v"), found);
        };
        let alter = format!("alter view {}, whose text is not seen now", body("v"));
        let unseen = "! the catalog does not show the text of view secure.v, so what it shows is not known: the target";
        let starts = |told: &[String], steps: &[&str]| {
            assert_eq!(told.len(), steps.len(), "{told:#?}");
            assert!(told.iter().zip(steps).all(|(told, step)| told.starts_with(step)), "{told:#?}");
        };
        let is_sent = told(&[body("v")], &[], None, hidden);
        starts(&is_sent, &[&alter, &format!("{unseen} is sent")]);
        assert!(is_sent[1].contains("VIEW DEFINITION") && is_sent[1].contains("or drop the view by hand"));
        let words = format!("error 0: {}", Refusal::NOT_SHOWN);
        let was_sent = told(&[body("v")], &[], Some(&words), hidden);
        starts(&was_sent, &[&alter, &format!("{unseen} took")]);
        let close = "close view secure.v, whose text is not seen now: ";
        let open = "! view secure.v is to show nothing, and is open until it is closed: ";
        let refused = told(&[body("v")], &[], Some("error 207"), hidden);
        starts(&refused, &[close, open, unseen]);
        let closed = told(&[], &[("v", "its table is gone")], Some(&words), hidden);
        starts(&closed, &[close, open, &format!("{unseen} took")]);
    }

    #[test]
    fn what_cannot_be_is_closed_and_not_opened_by_a_refusal() {
        let there = |there: &mut ViewsThere, _: &mut BTreeMap<_, _>| {
            there.views.insert(object("v"), view("older", true));
        };
        let closed = [
            "close view secure.v: its table is gone",
            "! view secure.v is to show nothing, and is open until it is closed: its table is gone",
        ];
        assert_eq!(told(&[], &[("v", "its table is gone")], None, there), closed);
        let refused = told(&[body("v")], &[], Some("error 207"), there);
        assert_eq!(refused[0], "close view secure.v: the target refused its text: error 207");
        let already = told(&[], &[("v", "gone")], None, |there, _| {
            there.views.insert(object("v"), view("closed secure.v", true));
        });
        assert_eq!(already, ["! view secure.v shows nothing: gone"]);
        assert_eq!(
            told(&[], &[("never", "gone")], None, |_, _| {}),
            ["! view secure.never shows nothing: gone"]
        );
    }

    #[test]
    fn a_key_of_somebody_elses_closes_the_views_of_its_column_and_one_that_is_gone_is_not_made_anew() {
        let mut hashed = body("v");
        let key = "sales.v.mail".to_owned();
        let mask = TypedMask::Hash { key: key.clone(), digits: 64 };
        hashed.columns[0].cell = Cell::Masked { mask, unless: BTreeSet::new(), to: BTreeSet::new() };
        let right = hashed.to_string();
        let told = |fault: Option<KeyFault>, rows: bool| {
            let (owner, none) = (Some(name("axon_owner")), BTreeMap::new());
            let there = ViewsThere {
                owner: Some(true),
                managed: ManagedTable::ALL.into(),
                views: BTreeMap::from([(object("v"), view(&right, true))]),
                keys: rows.then(|| key.clone()).into_iter().collect(),
                ..ViewsThere::default()
            };
            let keys = fault.map(|fault| (key.clone(), fault)).into_iter().collect();
            let bodies = [hashed.clone()];
            let wanted = ViewsWanted {
                metadata: metadata(),
                bodies: &bodies,
                closed: &none,
                schemas: &BTreeMap::from([(name("axon"), owner), (name("secure"), owner)]),
                taken: &|_| false,
                past: &|_| None,
                digest: &digest,
                refused: &|_| None,
                keys: &keys,
                filters: &[],
                kept: &BTreeSet::new(),
                shown: &|_| None,
                opened: &|_| false,
            };
            let (steps, findings) = diff(&wanted, &there);
            let steps = steps.iter().map(ToString::to_string);
            steps.chain(findings.iter().map(ToString::to_string)).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told(None, true), "");
        assert_eq!(told(None, false), "create a key in schema axon for sales.v.mail");
        let gone = told(Some(KeyFault::Gone), false);
        assert!(gone.starts_with("the key of hashes of sales.v.mail in axon.mask_keys is gone: "), "{gone}");
        assert!(!gone.contains("create a key") && !gone.contains("close view"), "{gone}");
        for fault in [KeyFault::Changed, KeyFault::Foreign] {
            let told = told(Some(fault), true);
            assert!(told.starts_with("close view secure.v: the key of sales.v.mail "), "{told}");
            assert!(told.contains("(axon view key sales.v.mail)"), "{told}");
        }
    }

    #[test]
    fn a_view_that_is_read_past_is_closed_once_and_opened_when_it_is_not() {
        let owner = Some(name("axon_owner"));
        let schemas = BTreeMap::from([(name("axon"), owner), (name("secure"), owner)]);
        let closed = BTreeMap::new();
        let bodies = [body("v")];
        let told = |found: &str, past: Option<&str>| {
            let there = ViewsThere {
                owner: Some(true),
                managed: ManagedTable::ALL.into(),
                views: BTreeMap::from([(object("v"), view(found, true))]),
                ..ViewsThere::default()
            };
            let wanted = ViewsWanted {
                metadata: metadata(),
                bodies: &bodies,
                closed: &closed,
                schemas: &schemas,
                taken: &|_| false,
                past: &|_| past.map(str::to_owned),
                digest: &digest,
                refused: &|_| None,
                keys: &BTreeMap::new(),
                filters: &[],
                kept: &BTreeSet::new(),
                shown: &|_| None,
                opened: &|_| false,
            };
            let (steps, findings) = diff(&wanted, &there);
            (steps.iter().map(ToString::to_string).collect::<Vec<_>>(), findings.len())
        };
        let open = bodies[0].to_string();
        assert_eq!(told(&open, Some("kim reads v")), (vec!["close view secure.v: kim reads v".into()], 1));
        assert_eq!(told("closed secure.v", Some("kim reads v")), (vec![], 1), "it is closed already");
        assert_eq!(told("closed secure.v", None).0, [format!("alter view {open}")]);
    }

    #[test]
    fn an_owner_who_can_enter_and_a_cache_keep_every_view_closed() {
        type Change = fn(&mut ViewsThere, &mut BTreeMap<SqlName, Option<SqlName>>);
        let changes: [(Change, &str); 3] = [
            (|there, _| there.owner = Some(false), "no user without a login"),
            (
                |_, schemas| {
                    schemas.insert(name("axon"), Some(name("dbo")));
                },
                "is not owned by axon_owner",
            ),
            (|there, _| there.result_set_caching = Some(true), "result-set caching is on"),
        ];
        for (change, says) in changes {
            let told = told(&[body("v"), body("new")], &[], None, |there, schemas| {
                there.views.insert(object("v"), view("older", true));
                change(there, schemas);
            });
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(told[0].starts_with("close view secure.v: ") && told[0].contains(says), "{told:?}");
        }
    }

    #[test]
    fn a_view_that_left_the_map_goes_if_axon_made_it() {
        let told = told(&[], &[], None, |there, _| {
            there.views.insert(object("old"), view("x", true));
            there.views.insert(object("mine"), view("y", false));
        });
        assert_eq!(told[0], "drop view secure.old");
        assert!(told[1].contains("view secure.mine stands in a schema of Axon's own"), "{told:?}");
    }
}
