//! The sessions of a pool: who is in, and the cord by which each can be cut.

use std::collections::BTreeMap;

use time::PrimitiveDateTime;
use tokio::sync::watch;

use crate::query::SessionRow;

/// Closed sessions that stay listed (the service keeps 10,000).
const CLOSED_KEPT: usize = 1000;

/// One session, as the pool sees it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: SessionRow,
    kill: watch::Sender<bool>,
}

/// All sessions, by number.
#[derive(Debug)]
pub(crate) struct Sessions {
    entries: BTreeMap<u32, Entry>,
    next_session: u32,
    /// How many sessions there were when ids began anew.
    before: u32,
    next_request: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next_session: 1, before: 0, next_request: 1 }
    }
}

/// What a new session shows of itself.
pub(crate) struct Arrival {
    pub(crate) sid: Vec<u8>,
    pub(crate) login_name: String,
    pub(crate) database_id: i64,
    pub(crate) now: PrimitiveDateTime,
    pub(crate) client: String,
    pub(crate) app_name: String,
    pub(crate) host_name: String,
}

impl Sessions {
    /// Lists a new session; gives its number and its cord.
    pub(crate) fn open(&mut self, arrival: Arrival) -> (u32, watch::Receiver<bool>) {
        let number = self.next_session;
        self.next_session += 1;
        let (kill, killed) = watch::channel(false);
        let row = SessionRow {
            session_id: self.session_id(number),
            spid: spid(number),
            status: "IDLE".to_owned(),
            request_id: None,
            sid: arrival.sid,
            login_name: arrival.login_name,
            database_id: arrival.database_id,
            acts_as: None,
            login_time: arrival.now,
            query_count: 0,
            in_transaction: false,
            client: arrival.client,
            app_name: arrival.app_name,
            host_name: arrival.host_name,
        };
        self.entries.insert(number, Entry { row, kill });
        (number, killed)
    }

    /// What a session is called: ids count from 1 again after a pause.
    pub(crate) fn session_id(&self, number: u32) -> String {
        format!("SID{}", number.saturating_sub(self.before))
    }

    /// Forgets all sessions, which were cut, and counts their ids from 1 again, as a pause does.
    pub(crate) fn begin_anew(&mut self) {
        self.entries.clear();
        self.before = self.next_session - 1;
    }

    /// A request begins.
    pub(crate) fn begin_request(&mut self, number: u32) {
        let request = self.next_request;
        self.next_request += 1;
        if let Some(entry) = self.entries.get_mut(&number)
            && entry.row.status != "TERMINATED"
        {
            "ACTIVE".clone_into(&mut entry.row.status);
            entry.row.request_id = Some(format!("QID{request}"));
            entry.row.query_count += 1;
        }
    }

    /// A request ended.
    pub(crate) fn end_request(&mut self, number: u32, in_transaction: bool) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.row.in_transaction = in_transaction;
            if entry.row.status == "ACTIVE" {
                "IDLE".clone_into(&mut entry.row.status);
            }
        }
    }

    /// From now on it acts as somebody else, or as itself again.
    pub(crate) fn act_as(&mut self, number: u32, whom: Option<(Vec<u8>, String)>) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.row.acts_as = whom;
        }
    }

    /// It is in another database now (USE).
    pub(crate) fn moves_to(&mut self, number: u32, database_id: i64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.row.database_id = database_id;
        }
    }

    /// The client is gone.
    pub(crate) fn close(&mut self, number: u32) {
        if let Some(entry) = self.entries.get_mut(&number)
            && entry.row.status != "TERMINATED"
        {
            "CLOSED".clone_into(&mut entry.row.status);
        }
        let closed: Vec<u32> =
            self.entries.iter().filter(|(_, entry)| !live(entry)).map(|(id, _)| *id).collect();
        for old in closed.iter().take(closed.len().saturating_sub(CLOSED_KEPT)) {
            self.entries.remove(old);
        }
    }

    /// Cuts a live session by its id (`SID12`); false if there is none.
    pub(crate) fn kill(&mut self, session_id: &str) -> bool {
        let found = self
            .entries
            .values_mut()
            .find(|entry| live(entry) && entry.row.session_id.eq_ignore_ascii_case(session_id));
        let Some(entry) = found else { return false };
        "TERMINATED".clone_into(&mut entry.row.status);
        entry.kill.send_replace(true);
        true
    }

    /// The id of the live session with this `@@SPID`.
    pub(crate) fn with_spid(&self, spid: &str) -> Option<String> {
        let spid: u16 = spid.parse().ok()?;
        let found = self.entries.values().find(|entry| live(entry) && entry.row.spid == spid);
        found.map(|entry| entry.row.session_id.clone())
    }

    /// Whether somebody with this security id is in.
    pub(crate) fn of_sid(&self, sid: &[u8]) -> bool {
        self.entries.values().any(|entry| live(entry) && entry.row.sid == sid)
    }

    /// Cuts every live session.
    pub(crate) fn kill_all(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| live(entry)) {
            "TERMINATED".clone_into(&mut entry.row.status);
            entry.kill.send_replace(true);
        }
    }

    /// All rows, closed sessions too.
    pub(crate) fn rows(&self) -> Vec<SessionRow> {
        self.entries.values().map(|entry| entry.row.clone()).collect()
    }

    /// How many sessions are in.
    pub(crate) fn live(&self) -> usize {
        self.entries.values().filter(|entry| live(entry)).count()
    }
}

fn live(entry: &Entry) -> bool {
    matches!(entry.row.status.as_str(), "ACTIVE" | "IDLE")
}

/// `@@SPID` of a session: numbers from 51 up, which come round again.
pub(crate) fn spid(number: u32) -> u16 {
    u16::try_from((number - 1) % 32_000).unwrap_or(0) + 51
}
