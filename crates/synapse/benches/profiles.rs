//! 100,000 people's profiles written for the first time, over TDS and a way of 20 ms there and back; then one person's change. The
//! server is the emulator, in this process: what it costs is in the time, too.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axon_emulator::{Emulator, EmulatorConfig};
use axon_model::SqlName;
use axon_reconcile::secure::{ManagedTable, ProfileRow, Profiles, SecureStep, profile_steps};
use axon_reconcile::{InspectScope, Outcome, Seen, Step, Target as _, Wave};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: &str = "Tr0ub4dor&3";
const PEOPLE: usize = 100_000;
/// One way; a round trip is twice as long.
const ONE_WAY: Duration = Duration::from_millis(10);
/// What the first fill may take, read back and all.
const MOST: Duration = Duration::from_mins(1);

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// A slow way to the server.
async fn slow(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    port
}

/// Carries bytes until one end is closed, each so long after it came: what comes in one stream is not slower than the way.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (send, mut due) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let forward = async move {
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until((at + ONE_WAY).into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let read = async move {
        let mut room = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut room).await {
            let bytes = room.get(..length).unwrap_or_default().to_vec();
            if send.send((Instant::now(), bytes)).is_err() {
                return;
            }
        }
    };
    tokio::join!(forward, read);
}

fn profiles(people: usize) -> Profiles {
    let one = |n: usize| {
        let principal = name(&format!("person{n:06}@acme.example"));
        let row =
            |attribute: &str, value: String| ProfileRow { principal, attribute: attribute.into(), value };
        let rows =
            [row("addresses.region", format!("region {}", n % 50)), row("title", format!("title {n}"))];
        (principal, BTreeSet::from(rows))
    };
    (0..people).map(one).collect()
}

async fn apply(target: &SynapseTarget, steps: &[Step]) {
    // Each fill is a wave of its own.
    for step in steps {
        let wave = Wave::for_test(vec![step.clone()]);
        let outcomes = target.apply(&wave).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done { .. })), "{outcomes:?}");
        let seen = target.read_back(&wave).await.unwrap();
        assert!(seen.iter().all(|seen| *seen == Seen::InForce), "{seen:?}");
    }
}

async fn writing() {
    let emulator = Emulator::bind("127.0.0.1:0", EmulatorConfig::new("sa", PASSWORD)).await.unwrap().spawn();
    let connection = Connection {
        host: "127.0.0.1".into(),
        port: slow(emulator.address().port()).await,
        database: name("dw"),
        tls: Tls::Off,
        auth: Auth::Sql { user: "sa".into(), password: PASSWORD.into() },
        login_timeout: Duration::from_secs(10),
        command_timeout: Duration::from_mins(1),
    };
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap();
    target.inspect(InspectScope::Full).await.unwrap();
    let (schema, owner) = (name("axon"), name("axon_owner"));
    let setup = [
        SecureStep::CreateOwner { name: owner },
        SecureStep::CreateSchema { name: schema, owner },
        SecureStep::CreateTable { schema, table: ManagedTable::Profile },
    ];
    apply(&target, &setup.map(Step::Secure)).await;

    let wanted = profiles(PEOPLE);
    let everybody: BTreeSet<SqlName> = wanted.keys().copied().collect();
    let steps = profile_steps(schema, None, &everybody, &BTreeMap::new(), &wanted);
    let steps: Vec<Step> = steps.into_iter().map(Step::Secure).collect();
    let began = Instant::now();
    apply(&target, &steps).await;
    let took = began.elapsed();
    println!(
        "profiles: {PEOPLE} people, {} rows, written and read back in {} bulk loads and {:.1} s at 20 ms a round trip",
        2 * PEOPLE,
        steps.len(),
        took.as_secs_f64()
    );
    let (whose, mut moved) = (BTreeSet::from([name("person000007@acme.example")]), wanted.clone());
    for rows in moved.values_mut().skip(7).take(1) {
        *rows = rows.iter().cloned().map(|row| ProfileRow { value: "moved".into(), ..row }).collect();
    }
    let one = profile_steps(schema, None, &whose, &wanted, &moved);
    assert_eq!(one.len(), 1);
    let one: Vec<Step> = one.into_iter().map(Step::Secure).collect();
    let began = Instant::now();
    apply(&target, &one).await;
    println!(
        "profiles: one person's change written and read back in {:.0} ms",
        began.elapsed().as_secs_f64() * 1e3
    );
    assert!(took < MOST, "it took {took:?}, wanted is {MOST:?}");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(writing());
}
