//! How often a full look asks the pool, whatever is granted there: counted on the way between Axon and the emulator, so that the login,
//! each batch and each answer that asks for more are in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axon_emulator::{EmulatorConfig, PoolKind};
use axon_reconcile::{GrantState, InspectScope, Securable, Target as _};
use axon_synapse::{Dialect, SynapseTarget};
use tiberius::AuthMethod;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::place::{PASSWORD, Place, Raw, run};
use crate::stage::{KIM, emulator, name};

/// How many statements are sent at once where the pool is filled.
const AT_ONCE: usize = 100;

/// So many roles with grants on so many objects: two rows on the schema and the database for each role, and four on each object.
#[derive(Clone, Copy)]
struct Granted {
    roles: usize,
    objects: usize,
}

impl Granted {
    const fn rows(self) -> usize {
        self.roles * (2 + 4 * self.objects)
    }

    /// SELECT of both grantors is one grant.
    const fn grants(self) -> usize {
        self.roles * (2 + 3 * self.objects)
    }

    fn roles(self) -> impl Iterator<Item = String> {
        (0..self.roles).map(|n| format!("axon_r{n}"))
    }

    /// A line for each role and object.
    fn each(self, line: impl Fn(&str, usize) -> String) -> Vec<String> {
        let line = &line;
        self.roles().flat_map(move |role| (0..self.objects).map(move |n| line(&role, n))).collect()
    }

    async fn fill(self, place: &Place) {
        let mut sa = place.raw(AuthMethod::sql_server("sa", PASSWORD)).await.unwrap();
        let object = |n| match place.dialect {
            Dialect::Dedicated => format!("CREATE TABLE [sales].[t{n}] ([id] int, [region] nvarchar(10))"),
            _ => format!("CREATE VIEW [sales].[t{n}] AS SELECT 1 AS [id], N'north' AS [region]"),
        };
        run(&mut sa, "CREATE SCHEMA [sales]").await.unwrap();
        for n in 0..self.objects {
            run(&mut sa, &object(n)).await.unwrap();
        }
        let mut admin = place.raw(place.admin.method()).await.unwrap();
        run(&mut admin, "CREATE USER [kim@acme.com] FROM EXTERNAL PROVIDER").await.unwrap();
        let may = |n| format!("GRANT SELECT ON [sales].[t{n}] TO [kim@acme.com] WITH GRANT OPTION");
        all(&mut admin, (0..self.objects).map(may).collect()).await;
        all(&mut sa, self.roles().map(|role| format!("CREATE ROLE [{role}]")).collect()).await;
        all(
            &mut sa,
            self.roles().map(|role| format!("GRANT INSERT ON SCHEMA::[sales] TO [{role}]")).collect(),
        )
        .await;
        all(&mut sa, self.roles().map(|role| format!("GRANT VIEW DEFINITION TO [{role}]")).collect()).await;
        all(&mut sa, self.each(|role, n| format!("GRANT SELECT ON [sales].[t{n}] TO [{role}]"))).await;
        all(&mut sa, self.each(|role, n| format!("GRANT UPDATE ([region]) ON [sales].[t{n}] TO [{role}]")))
            .await;
        all(&mut sa, self.each(|role, n| format!("DENY DELETE ON [sales].[t{n}] TO [{role}]"))).await;
        let mut kim = place.raw(AuthMethod::aad_token(KIM)).await.unwrap();
        all(&mut kim, self.each(|role, n| format!("GRANT SELECT ON [sales].[t{n}] TO [{role}]"))).await;
    }
}

async fn all(raw: &mut Raw, statements: Vec<String>) {
    for some in statements.chunks(AT_ONCE) {
        run(raw, &some.join(";\n")).await.unwrap();
    }
}

/// A way to the server that counts how often its direction turns towards the server.
struct Way {
    port: u16,
    turns: Arc<AtomicU32>,
}

impl Way {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, turns) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU32::new(0)));
        let counts = turns.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (from_server, to_server) = server.into_split();
                let answered = Arc::new(AtomicBool::new(true));
                let (asks, answers, counts) = (answered.clone(), answered, counts.clone());
                tokio::spawn(carry(from_client, to_server, move || {
                    if asks.swap(false, Ordering::SeqCst) {
                        counts.fetch_add(1, Ordering::SeqCst);
                    }
                }));
                tokio::spawn(carry(from_server, to_client, move || answers.store(true, Ordering::SeqCst)));
            }
        });
        Self { port, turns }
    }

    /// Those since it was asked last.
    fn round_trips(&self) -> u32 {
        self.turns.swap(0, Ordering::SeqCst)
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seen: impl Fn() + Send + 'static) {
    let mut room = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut room).await {
        seen();
        if to.write_all(&room[..length]).await.is_err() {
            return;
        }
    }
}

/// The round trips of the first full look, with the login, of the next one, and of the question who is in.
async fn looked_at(kind: PoolKind, granted: Granted) -> [u32; 3] {
    let (place, _running) = emulator(EmulatorConfig::new("sa", PASSWORD), kind).await;
    granted.fill(&place).await;
    let way = Way::to(place.port()).await;
    let mut connection = place.connection(place.admin.auth());
    connection.port = way.port;
    let target = SynapseTarget::new("warehouse", place.dialect, connection).unwrap();

    let mut trips = [0; 3];
    for trip in &mut trips[..2] {
        let seen = target.inspect(InspectScope::Full).await.unwrap();
        *trip = way.round_trips();
        assert_eq!(seen.unseen, Vec::<String>::new());
        let ours = || seen.graph.grants.iter().filter(|(key, _)| key.grantee.as_str().starts_with("axon_r"));
        let of = |on: fn(&Securable) -> bool| ours().filter(|(key, _)| on(&key.securable)).count();
        assert_eq!(ours().count(), granted.grants());
        assert_eq!(of(|on| matches!(on, Securable::Schema(_))), granted.roles);
        assert_eq!(of(|on| matches!(on, Securable::Database)), granted.roles);
        assert_eq!(of(|on| matches!(on, Securable::Column(..))), granted.roles * granted.objects);
        assert_eq!(
            ours().filter(|(_, g)| g.state == GrantState::Deny).count(),
            granted.roles * granted.objects
        );
        let both = ours().filter(|(_, g)| g.own_row && g.foreign_grantors == [name("kim@acme.com")]);
        assert_eq!(both.count(), granted.roles * granted.objects, "SELECT has both grantors");
    }
    target.visitors().await.unwrap();
    trips[2] = way.round_trips();
    trips
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_look_takes_as_many_round_trips_with_ten_grants_as_with_five_thousand() {
    let (few, many) = (Granted { roles: 1, objects: 2 }, Granted { roles: 20, objects: 62 });
    assert_eq!((few.rows(), many.rows()), (10, 5_000));
    for kind in [PoolKind::Dedicated, PoolKind::Serverless] {
        let trips = looked_at(kind, few).await;
        assert_eq!(looked_at(kind, many).await, trips, "{kind:?}");
        assert!(trips[1] <= 3 && trips[2] == 1, "{kind:?}: {trips:?}");
    }
}
