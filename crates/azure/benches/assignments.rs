//! How long it takes to read, plan and change many role assignments of a workspace that answers each page after 20 ms.
//! Run: `cargo bench -p axon-azure --bench assignments`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axon_azure::{AssignedTarget, Base, Bearer, Entra, Wire, WorkspaceParts, workspace};
use axon_model::{SqlName, SystemClock};
use axon_reconcile::target::TokenError;
use axon_reconcile::{
    Connect, Graph, InspectScope, ManagedPrincipals, Membership, Outcome, Principal, PrincipalKind, Scope,
    Sid, Sides, Step, Target as _, TokenSource, Wave, plan_assigned,
};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ROWS: usize = 10_000;
const PAGE: usize = 1_000;
const CHANGES: usize = 1_000;
const LATENCY: Duration = Duration::from_millis(20);
/// So many writes are taken in a span of time; beyond it 429 says when the span ends.
const WRITES: u32 = 200;
const SPAN: Duration = Duration::from_secs(10);
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";

struct Token;

#[async_trait::async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(SecretString::from("token"))
    }
}

fn id(n: usize) -> String {
    format!("bbbbbbbb-0000-0000-0000-{n:012}")
}

fn row(n: usize) -> String {
    let (own, who) = (format!("eeeeeeee-0000-0000-0000-{n:012}"), id(n));
    format!(
        r#"{{"id":"{own}","roleDefinitionId":"{USER}","principalId":"{who}","scope":"workspaces/acme","principalType":"Group"}}"#
    )
}

/// The writes of the running span, where they are limited.
#[derive(Default)]
struct Limit {
    on: bool,
    began: Option<Instant>,
    taken: u32,
    refused: u32,
}

impl Limit {
    /// How many seconds are left of a span that takes no more.
    fn refuses(&mut self) -> Option<u64> {
        let began = *self.began.get_or_insert_with(Instant::now);
        if !self.on || began.elapsed() >= SPAN {
            (self.began, self.taken) = (Some(Instant::now()), 0);
        } else if self.taken >= WRITES {
            self.refused += 1;
            return Some(SPAN.saturating_sub(began.elapsed()).as_secs().max(1));
        }
        self.taken += 1;
        None
    }
}

static LIMIT: Mutex<Option<Limit>> = Mutex::new(None);

fn limit<T>(with: impl FnOnce(&mut Limit) -> T) -> T {
    with(LIMIT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert_default())
}

/// The answer and the header of the next page.
fn answer(head: &str, body: &str) -> (String, String) {
    if head.contains("getByIds") {
        let ids: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let found = ids["ids"].as_array().into_iter().flatten().filter_map(|id| id.as_str()).map(|id| {
            format!(r##"{{"@odata.type":"#microsoft.graph.group","id":"{id}","displayName":"{id}","securityEnabled":true}}"##)
        });
        return (format!(r#"{{"value":[{}]}}"#, found.collect::<Vec<_>>().join(",")), String::new());
    }
    if head.starts_with("GET /roleDefinitions") {
        return (format!(r#"[{{"id":"{USER}","name":"Synapse User","isBuiltIn":true}}]"#), String::new());
    }
    if head.starts_with("PUT") {
        let put: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let name = head.split(['/', '?']).nth(2).unwrap_or_default();
        let who = put["principalId"].as_str().unwrap_or_default();
        let text = format!(
            r#"{{"id":"{name}","roleDefinitionId":"{USER}","principalId":"{who}","scope":"workspaces/acme"}}"#
        );
        return (text, String::new());
    }
    let mark = head.lines().find_map(|line| line.strip_prefix("x-ms-continuation: "));
    let from: usize = mark.and_then(|mark| mark.parse().ok()).unwrap_or(0);
    let rows: Vec<String> = (from..(from + PAGE).min(ROWS)).map(row).collect();
    let next =
        if from + PAGE < ROWS { format!("x-ms-continuation: {}\r\n", from + PAGE) } else { String::new() };
    (format!(r#"{{"count":{},"value":[{}]}}"#, rows.len(), rows.join(",")), next)
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
            loop {
                if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
                    let length =
                        head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    let end = at + 4 + length.unwrap_or(0);
                    if bytes.len() >= end {
                        let body = String::from_utf8_lossy(&bytes[at + 4..end]).into_owned();
                        bytes.drain(..end);
                        tokio::time::sleep(LATENCY).await;
                        let wait = if head.starts_with("PUT") { limit(Limit::refuses) } else { None };
                        let (status, (text, extra)) = match wait {
                            Some(wait) => (429, ("{}".to_owned(), format!("retry-after: {wait}\r\n"))),
                            None => (200, answer(&head, &body)),
                        };
                        let out = format!(
                            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{extra}\r\n{text}",
                            text.len()
                        );
                        if stream.write_all(out.as_bytes()).await.is_err() {
                            return;
                        }
                        continue;
                    }
                }
                match stream.read(&mut chunk).await {
                    Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
                    _ => return,
                }
            }
        });
    }
}

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name")
}

fn desired(count: usize) -> Graph {
    let mut graph = Graph::default();
    for n in 0..count {
        let who = name(&format!("SG-{n}"));
        let sid = Sid::from_object_id(&id(n));
        let principal =
            Principal { kind: PrincipalKind::ExternalGroup, sid, connect: Connect::Granted, created: None };
        graph.principals.insert(who, principal);
        graph.members.insert(Membership { role: name("Synapse User"), member: who });
    }
    graph
}

async fn steps(target: &AssignedTarget, desired: &Graph) -> Vec<Step> {
    target.introduce(desired).await.expect("introduced");
    let seen = target.inspect(InspectScope::Full).await.expect("a look");
    let known: BTreeSet<SqlName> = desired.principals.keys().copied().collect();
    let scope = Scope {
        roles: Vec::new(),
        named_roles: [name("Synapse User")].into(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(known),
        untouchable: BTreeSet::new(),
    };
    let sides = Sides { desired: desired.clone(), actual: seen.graph, scope };
    plan_assigned(&sides).steps.into_iter().map(|planned| planned.step).collect()
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint =
            Base::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a base");
        let serving = tokio::spawn(serve(listener));
        let (wire, clock) = (Wire::new().expect("a client"), Arc::new(SystemClock));
        let bearer = || Bearer::from_source(Arc::new(Token));
        let entra = Arc::new(Entra::new(&endpoint, wire.clone(), bearer(), clock.clone()));
        let parts = WorkspaceParts {
            endpoint,
            name: Some("acme".into()),
            bearer: bearer(),
            wire,
            clock,
            entra: Some(entra),
        };
        let target = workspace("workspace", parts).expect("a target");
        let began = Instant::now();
        let none = steps(&target, &desired(ROWS)).await;
        println!(
            "{ROWS} assignments in pages of {PAGE} at 20 ms, looked up, listed and planned: {:?}, {} steps",
            began.elapsed(),
            none.len()
        );
        let began = Instant::now();
        let none = steps(&target, &desired(ROWS)).await;
        println!("the same again, everybody known: {:?}, {} steps", began.elapsed(), none.len());
        let began = Instant::now();
        let same = target.is_unchanged().await.expect("an answer");
        println!("the cheap check, one page of {PAGE}: {:?}, nothing changed: {same}", began.elapsed());
        let began = Instant::now();
        let more = steps(&target, &desired(ROWS + CHANGES)).await;
        println!("{} more found and planned: {:?}", more.len(), began.elapsed());
        let began = Instant::now();
        let mut done = 0;
        for wave in more.chunks(16) {
            let outcomes = target.apply(&Wave::for_test(wave.to_vec())).await;
            done += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count();
        }
        println!("{done} assigned one after another, 20 ms each: {:?}", began.elapsed());

        limit(|limit| *limit = Limit { on: true, ..Limit::default() });
        let (mut rest, began) = (more, Instant::now());
        while !rest.is_empty() {
            let wave: Vec<Step> = rest.iter().take(16).cloned().collect();
            let outcomes = target.apply(&Wave::for_test(wave)).await;
            let done = outcomes.iter().take_while(|outcome| matches!(outcome, Outcome::Done { .. })).count();
            rest.drain(..done);
            if done < outcomes.len() {
                // Nothing is sent until the time that the service gave is over: asking again costs nothing.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let (took, refused) = (began.elapsed(), limit(|limit| limit.refused));
        println!(
            "{CHANGES} assigned where {WRITES} writes are taken in {} s: {took:?}, {refused} requests were refused. It cannot be \
             faster than {} s: the limit says so, and each refusal is waited out once",
            SPAN.as_secs(),
            (u32::try_from(CHANGES).unwrap_or(0) / WRITES - 1) * u32::try_from(SPAN.as_secs()).unwrap_or(0)
        );
        serving.abort();
    });
}
