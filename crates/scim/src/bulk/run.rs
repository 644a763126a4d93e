//! The order of a bulk request: one step at a time, each told what came of it before the next is chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::references;
use super::{BulkEntry, BulkMethod, BulkOperation, BulkRequest, BulkResponse, BulkTarget};
use crate::error::{ScimError, quoted};
use crate::schema::ResourceKind;

const PATCH_OP_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One request to carry out, as if it had come by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkStep {
    /// What to do.
    pub method: BulkMethod,
    /// To what.
    pub kind: ResourceKind,
    /// Its id; none for a POST.
    pub id: Option<String>,
    /// The version that the client knows, as in `If-Match`.
    pub version: Option<String>,
    /// The body, ids in the places of names; null for a DELETE.
    pub data: Value,
}

/// A step that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The HTTP status.
    pub status: u16,
    /// The id of the resource.
    pub id: String,
    /// Its entity tag; none after a DELETE.
    pub version: Option<String>,
}

/// A bulk request on its way.
pub struct BulkRun {
    base: String,
    errors_left: Option<usize>,
    items: Vec<Item>,
    /// Which operation makes the resource of a name.
    makers: BTreeMap<String, usize>,
    ids: BTreeMap<String, String>,
    /// The first operation that was not looked at.
    next: usize,
    /// Those that wait, each for the one above it.
    waiting: Vec<usize>,
    /// What was taken out of new resources until others are there.
    late: Vec<Late>,
    /// The step that was given out, and whether it is a late one.
    sent: Option<(usize, bool)>,
}

struct Item {
    operation: BulkOperation,
    state: State,
    entry: Option<BulkEntry>,
    /// Whom it names, gathered when it is first looked at: it is looked at once for each of them, and may be as long as a body.
    names: OnceLock<BTreeSet<String>>,
}

impl Item {
    fn names(&self, target: &BulkTarget) -> &BTreeSet<String> {
        self.names.get_or_init(|| {
            let mut names = self.operation.data.as_ref().map(references::names).unwrap_or_default();
            names.extend(target.id.as_deref().and_then(references::name).map(str::to_owned));
            names
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Untouched,
    Waiting,
    Made,
    Failed,
}

struct Late {
    place: usize,
    /// Names whose resources are not known to be there.
    missing: Vec<String>,
    operations: Vec<Value>,
}

/// What stands in the way of an operation.
enum Way {
    Free,
    After(usize),
    Refused(ScimError),
    /// These wait for it.
    Circular(BTreeSet<String>),
}

impl BulkRun {
    /// A run over a request; `base` is where SCIM lives, for the addresses in the answer.
    pub fn new(request: BulkRequest, base: &str) -> Self {
        let mut makers = BTreeMap::new();
        let mut items = Vec::with_capacity(request.operations.len());
        for (place, mut operation) in request.operations.into_iter().enumerate() {
            if operation.method == Some(BulkMethod::Post)
                && operation.target.is_ok()
                && let Some(name) = &operation.bulk_id
                && makers.insert(name.clone(), place).is_some_and(|first| {
                    makers.insert(name.clone(), first);
                    true
                })
            {
                let text = format!("the bulkId {} is given to another POST too", quoted(name));
                operation.target = Err(ScimError::invalid_value(text));
            }
            items.push(Item { operation, state: State::Untouched, entry: None, names: OnceLock::new() });
        }
        Self {
            base: base.to_owned(),
            errors_left: request.fail_on_errors,
            items,
            makers,
            ids: BTreeMap::new(),
            next: 0,
            waiting: Vec::new(),
            late: Vec::new(),
            sent: None,
        }
    }

    /// The next step; none when all is done, or when no more is to be done. Tell [`Self::done`] before asking again.
    pub fn next_step(&mut self) -> Option<BulkStep> {
        while self.errors_left != Some(0) {
            if let Some(step) = self.late_step() {
                return Some(step);
            }
            let place = match self.waiting.last() {
                Some(place) => *place,
                None => self.begin()?,
            };
            match self.way(place) {
                Way::After(other) => self.wait(other),
                Way::Refused(error) => {
                    self.waiting.pop();
                    self.fail(place, error);
                }
                Way::Free => return Some(self.send(place, &BTreeSet::new())),
                Way::Circular(missing) => return Some(self.send(place, &missing)),
            }
        }
        None
    }

    /// The next operation that nobody looked at.
    fn begin(&mut self) -> Option<usize> {
        while self.items.get(self.next)?.state != State::Untouched {
            self.next += 1;
        }
        self.wait(self.next);
        Some(self.next)
    }

    fn wait(&mut self, place: usize) {
        self.items[place].state = State::Waiting;
        self.waiting.push(place);
    }

    fn way(&self, place: usize) -> Way {
        let operation = &self.items[place].operation;
        let target = match &operation.target {
            Ok(target) => target,
            Err(error) => return Way::Refused(error.clone()),
        };
        let mut circular = BTreeSet::new();
        for name in self.items[place].names(target) {
            let Some(maker) = self.makers.get(name) else {
                let text = format!("no POST of this request has the bulkId {}", quoted(name));
                return Way::Refused(ScimError::invalid_value(text));
            };
            match self.items[*maker].state {
                State::Made => {}
                State::Untouched => return Way::After(*maker),
                State::Waiting => {
                    circular.insert(name.clone());
                }
                State::Failed => {
                    let text = format!("the operation with the bulkId {} failed", quoted(name));
                    return Way::Refused(ScimError::conflict(text));
                }
            }
        }
        if circular.is_empty() { Way::Free } else { Way::Circular(circular) }
    }

    fn send(&mut self, place: usize, missing: &BTreeSet<String>) -> BulkStep {
        self.waiting.pop();
        let operation = &mut self.items[place].operation;
        let mut data = operation.data.take().unwrap_or(Value::Null);
        if !missing.is_empty() {
            let operations = references::part(&mut data, missing);
            self.late.push(Late { place, missing: missing.iter().cloned().collect(), operations });
        }
        references::resolve(&mut data, &self.ids);
        let (method, target) = known(operation);
        let id = target.id.as_ref().map(|id| {
            references::name(id).and_then(|name| self.ids.get(name)).cloned().unwrap_or_else(|| id.clone())
        });
        let step = BulkStep { method, kind: target.kind, id, version: operation.version.clone(), data };
        if let Ok(target) = &mut operation.target {
            target.id.clone_from(&step.id);
        }
        self.sent = Some((place, false));
        step
    }

    /// A PATCH whose names all have their ids, or one that can never be: that one fails its operation.
    fn late_step(&mut self) -> Option<BulkStep> {
        let mut at = 0;
        while let Some(late) = self.late.get_mut(at) {
            // Each name is taken off once: every step looks here, and all may wait for all.
            let mut state = State::Made;
            while let (State::Made, Some(name)) = (state, late.missing.last()) {
                state = self.makers.get(name).map_or(State::Failed, |maker| self.items[*maker].state);
                if state == State::Made {
                    late.missing.pop();
                }
            }
            let place = late.place;
            if self.items[place].state == State::Failed {
                self.late.swap_remove(at);
            } else if state == State::Failed {
                self.late.swap_remove(at);
                let text = "it was made, but without what it names: an operation that it names failed";
                self.fail(place, ScimError::conflict(text));
            } else if state == State::Made {
                let late = self.late.swap_remove(at);
                let id = self.made_id(place);
                let mut data = json!({"schemas": [PATCH_OP_URN], "Operations": late.operations});
                references::resolve(&mut data, &self.ids);
                let (_, target) = known(&self.items[place].operation);
                self.sent = Some((place, true));
                return Some(BulkStep {
                    method: BulkMethod::Patch,
                    kind: target.kind,
                    id,
                    version: None,
                    data,
                });
            } else {
                at += 1;
            }
        }
        None
    }

    fn made_id(&self, place: usize) -> Option<String> {
        let name = self.items[place].operation.bulk_id.as_ref()?;
        self.ids.get(name).cloned()
    }

    /// What came of the step that was given last.
    pub fn done(&mut self, outcome: Result<Done, ScimError>) {
        let Some((place, is_late)) = self.sent.take() else { return };
        let done = match outcome {
            Ok(done) => done,
            Err(error) => return self.fail(place, error),
        };
        if is_late {
            if let Some(entry) = &mut self.items[place].entry {
                entry.version = done.version;
            }
            return;
        }
        let item = &mut self.items[place];
        item.state = State::Made;
        let (method, target) = known(&item.operation);
        item.entry = Some(BulkEntry {
            method: method.as_str().to_owned(),
            bulk_id: item.operation.bulk_id.clone(),
            version: done.version,
            location: Some(address(&self.base, target.kind, &done.id)),
            status: done.status.to_string(),
            response: None,
        });
        if method == BulkMethod::Post
            && let Some(name) = &item.operation.bulk_id
        {
            self.ids.insert(name.clone(), done.id);
        }
    }

    fn fail(&mut self, place: usize, error: ScimError) {
        let item = &mut self.items[place];
        let before = item.entry.take().and_then(|entry| entry.location);
        let named = item.operation.target.as_ref().ok().and_then(|target| {
            let id = target.id.as_deref().filter(|id| references::name(id).is_none())?;
            Some(address(&self.base, target.kind, id))
        });
        item.state = State::Failed;
        item.entry = Some(BulkEntry {
            method: item.operation.word.clone(),
            bulk_id: item.operation.bulk_id.clone(),
            version: None,
            location: before.or(named),
            status: error.status.to_string(),
            response: Some(error),
        });
        if let Some(left) = &mut self.errors_left {
            *left = left.saturating_sub(1);
        }
    }

    /// The answer: an entry for each operation that was tried, in the order of the request.
    pub fn finish(mut self) -> BulkResponse {
        let cut: Vec<usize> = self.late.iter().map(|late| late.place).collect();
        for place in cut {
            if self.items[place].state == State::Made {
                let text = "it was made, but without what it names: the request stopped after its errors";
                self.fail(place, ScimError::conflict(text));
            }
        }
        BulkResponse::new(self.items.into_iter().filter_map(|item| item.entry).collect())
    }
}

/// The method and the target of an operation that was found free of faults.
fn known(operation: &BulkOperation) -> (BulkMethod, BulkTarget) {
    match (operation.method, &operation.target) {
        (Some(method), Ok(target)) => (method, target.clone()),
        _ => unreachable!("an operation with a fault is never sent"),
    }
}

fn address(base: &str, kind: ResourceKind, id: &str) -> String {
    format!("{base}{}/{id}", kind.endpoint())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

    /// A server that numbers what it makes, refuses the name "bad", and writes down what it was asked.
    fn play(body: Value) -> (Vec<String>, Value) {
        let request = BulkRequest::parse(body, 100, "https://x").unwrap();
        let mut run = BulkRun::new(request, "https://x");
        let (mut log, mut made) = (Vec::new(), 0);
        while let Some(step) = run.next_step() {
            let to = step.id.as_deref().unwrap_or("new");
            log.push(format!("{} {}/{to} {}", step.method.as_str(), step.kind, step.data));
            let is_bad = step.data.to_string().contains("\"bad\"");
            run.done(if is_bad {
                Err(ScimError::invalid_value("bad"))
            } else {
                let status = if step.method == BulkMethod::Post { 201 } else { 200 };
                let id = step.id.unwrap_or_else(|| {
                    made += 1;
                    format!("id{made}")
                });
                Ok(Done { status, id, version: Some(format!("W/\"{}\"", log.len())) })
            });
        }
        (log, serde_json::to_value(run.finish()).unwrap()["Operations"].clone())
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better so")]
    fn post(path: &str, name: &str, data: Value) -> Value {
        json!({"method": "POST", "path": path, "bulkId": name, "data": data})
    }

    fn statuses(entries: &Value) -> Vec<&str> {
        entries.as_array().unwrap().iter().map(|e| e["status"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_name_that_is_made_later_is_made_first() {
        // V41
        let (log, entries) = play(json!({"Operations": [
            post("/Groups", "g", json!({"displayName": "G", "members": [{"value": "bulkId:u1"}]})),
            post("/Users", "u1", json!({"userName": "kim"})),
            json!({"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"Operations": [
                {"op": "remove", "path": "members[value eq \"bulkId:u1\"]"}]}}),
        ]}));
        assert_eq!(
            log,
            [
                r#"POST User/new {"userName":"kim"}"#,
                r#"POST Group/new {"displayName":"G","members":[{"value":"id1"}]}"#,
                r#"PATCH Group/id2 {"Operations":[{"op":"remove","path":"members[value eq \"id1\"]"}]}"#,
            ]
        );
        assert_eq!(statuses(&entries), ["201", "201", "200"]);
        assert_eq!(entries[0]["bulkId"], "g");
        assert_eq!(entries[0]["location"], "https://x/Groups/id2");
        assert_eq!(entries[2]["location"], "https://x/Groups/id2");
        assert!(entries[2].get("bulkId").is_none() && entries[0].get("response").is_none());
    }

    #[test]
    fn two_that_name_each_other_are_made_and_then_joined() {
        let (log, entries) = play(json!({"Operations": [
            post("/Groups", "a", json!({"displayName": "A", "members": [{"value": "bulkId:b"}, {"value": "bulkId:u"}]})),
            post("/Groups", "b", json!({"displayName": "B", "members": [{"value": "bulkId:a"}]})),
            post("/Users", "u", json!({"userName": "u", MANAGER: 1, "x:y": {"manager": {"value": "bulkId:u"}}})),
        ]}));
        assert_eq!(log[0], r#"POST Group/new {"displayName":"B"}"#);
        assert_eq!(log[1], format!(r#"POST User/new {{"{MANAGER}":1,"userName":"u"}}"#));
        assert!(
            log[2].starts_with("PATCH User/id2") && log[2].contains(r#""path":"x:y:manager""#),
            "{}",
            log[2]
        );
        assert_eq!(
            log[3],
            r#"POST Group/new {"displayName":"A","members":[{"value":"id1"},{"value":"id2"}]}"#
        );
        assert!(
            log[4].starts_with("PATCH Group/id1") && log[4].contains(r#"[{"value":"id3"}]"#),
            "{}",
            log[4]
        );
        assert_eq!((log.len(), statuses(&entries)), (5, vec!["201", "201", "201"]));
        assert_eq!(entries[1]["version"], "W/\"5\"", "the version after the late PATCH");
    }

    #[test]
    fn a_chain_as_long_as_the_request_needs_no_stack() {
        let operations: Vec<Value> = (0..100)
            .map(|n| post("/Users", &n.to_string(), json!({"x": format!("bulkId:{}", n + 1)})))
            .collect();
        let (log, entries) = play(json!({"Operations": operations}));
        assert!(log.is_empty(), "the last one names nobody, so none can be made");
        assert_eq!(entries[99]["status"], "400");
        assert!(statuses(&entries)[..99].iter().all(|s| *s == "409"));
    }

    /// Each of many names all others: the work grows as what was sent, and not as its square times their number.
    #[test]
    fn all_that_name_all_others_are_made_in_a_moment() {
        let count = 200;
        let began = std::time::Instant::now();
        let operations: Vec<Value> = (0..count)
            .map(|n| {
                let others = (0..count).filter(|m| *m != n);
                let members: Vec<Value> = others.map(|m| json!({"value": format!("bulkId:{m}")})).collect();
                post("/Groups", &n.to_string(), json!({"displayName": n.to_string(), "members": members}))
            })
            .collect();
        let request = BulkRequest::parse(json!({"Operations": operations}), count, "https://x").unwrap();
        let mut run = BulkRun::new(request, "https://x");
        let mut steps = 0;
        while let Some(step) = run.next_step() {
            steps += 1;
            let id = step.id.unwrap_or_else(|| format!("id{steps}"));
            run.done(Ok(Done { status: 201, id, version: None }));
        }
        assert!((count..2 * count).contains(&steps), "{steps}");
        assert!(
            serde_json::to_value(run.finish()).unwrap()["Operations"]
                .as_array()
                .unwrap()
                .iter()
                .all(|e| e["status"] == "201")
        );
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_failure_fails_what_names_it_and_nothing_else() {
        let (_, entries) = play(json!({"Operations": [
            post("/Groups", "g", json!({"members": [{"value": "bulkId:u"}]})),
            post("/Users", "u", json!({"userName": "bad"})),
            post("/Users", "v", json!({"userName": "good"})),
            post("/Users", "v", json!({"userName": "again"})),
            json!({"method": "DELETE", "path": "/Users/bulkId:u"}),
            json!({"method": "PUT", "path": "/Users/7", "data": {"userName": "bad"}}),
        ]}));
        assert_eq!(statuses(&entries), ["409", "400", "201", "400", "409", "400"]);
        assert_eq!(entries[1]["response"]["scimType"], "invalidValue");
        assert!(entries[1].get("location").is_none(), "a POST that failed has no address");
        assert_eq!(entries[5]["location"], "https://x/Users/7");
    }

    #[test]
    fn a_circle_with_a_failure_says_what_is_missing() {
        let (_, entries) = play(json!({"Operations": [
            post("/Groups", "a", json!({"displayName": "bad", "members": [{"value": "bulkId:b"}]})),
            post("/Groups", "b", json!({"displayName": "B", "members": [{"value": "bulkId:a"}]})),
        ]}));
        assert_eq!(statuses(&entries), ["400", "409"]);
        assert_eq!(entries[1]["location"], "https://x/Groups/id1");
        assert!(entries[1]["response"]["detail"].as_str().unwrap().contains("was made"));
    }

    #[test]
    fn no_more_is_done_after_the_errors_that_were_allowed() {
        // V42
        let bad = |name: &str| post("/Users", name, json!({"userName": "bad"}));
        let three = json!([bad("a"), bad("b"), bad("c")]);
        let (log, entries) = play(json!({"failOnErrors": 1, "Operations": three.clone()}));
        assert_eq!((log.len(), statuses(&entries)), (1, vec!["400"]));
        let (log, entries) = play(json!({"failOnErrors": 2, "Operations": three.clone()}));
        assert_eq!((log.len(), entries.as_array().unwrap().len()), (2, 2));
        let (_, entries) = play(json!({"Operations": three}));
        assert_eq!(statuses(&entries), ["400", "400", "400"]);
    }
}
