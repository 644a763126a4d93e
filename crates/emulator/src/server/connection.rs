//! The life of a connection after login: requests in turn, until one side ends it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::session_port::{Engine, SessionPort};
use crate::tds::packet::{Message, PacketType};
use crate::tds::param_definition;
use crate::tds::request::{self, Transaction};
use crate::tds::response::{After, Response, Shape};
use crate::tds::rpc::{self, Call, Procedure, RpcFault};
use crate::tds::tokens::{self, Done};
use crate::tds::version::TdsVersion;

use super::config::WireConfig;
use super::handshake::{self, MAX_LOGIN};
use super::link::{Ended, Link};
use super::prepared::{self, Statements};
use super::work;

/// Serve one connection from its first byte to its last.
pub async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    engine: Arc<dyn Engine>,
    config: &WireConfig,
) -> Result<(), Ended> {
    stream.set_nodelay(true)?;
    let mut link = Link::new(stream, MAX_LOGIN);
    let login = handshake::run(&mut link, peer, &engine, config);
    let logged_in = tokio::time::timeout(config.login_timeout, login).await.map_err(|_| Ended::LoginTimeout)??;
    let Some(logged_in) = logged_in else { return Ok(()) };
    link.set_limit(config.max_message);
    let connection = Connection {
        link,
        version: logged_in.version,
        server: config.server_name.clone(),
        statements: Statements::default(),
        transaction: None,
        next_transaction: 1,
    };
    connection.run(logged_in.session).await
}

struct Connection {
    link: Link,
    version: TdsVersion,
    server: String,
    statements: Statements,
    /// Descriptor of the open transaction, if one is.
    transaction: Option<u64>,
    next_transaction: u64,
}

/// What a request is, before it is run.
enum Request {
    Batch(String),
    Rpc(Vec<Call>),
    Transaction(Transaction),
    /// It could be read but not be run.
    Refused(ServerError),
}

impl Connection {
    async fn run(mut self, mut session: Box<dyn SessionPort>) -> Result<(), Ended> {
        let mut queued = None;
        loop {
            let message = match queued.take() {
                Some(message) => message,
                None => match self.next(session.killed()).await? {
                    Some(message) => message,
                    None => return Ok(()),
                },
            };
            if message.kind == PacketType::Attention || message.ignored {
                self.acknowledge(message.kind).await?;
                continue;
            }
            let mut response = Response::new(self.version, &self.server);
            let reset = message.reset;
            let request = self.read(message)?;
            let finished = self.answer(session, request, reset, &mut response).await?;
            session = finished.session;
            queued = finished.queued;
            let (bytes, after) = response.finish();
            self.link.send(PacketType::Tabular, &bytes, after != After::Cut).await?;
            if after != After::Continue {
                self.link.close().await;
                return Ok(());
            }
            if finished.attention {
                self.acknowledge(PacketType::Attention).await?;
            }
        }
    }

    /// Wait for a request while nothing runs.
    async fn next(&mut self, mut killed: watch::Receiver<bool>) -> Result<Option<Message>, Ended> {
        tokio::select! {
            () = work::until_killed(&mut killed) => Err(Ended::Cut),
            message = self.link.receive() => message,
        }
    }

    /// DONE that answers an attention, or a request that was taken back.
    async fn acknowledge(&mut self, kind: PacketType) -> Result<(), Ended> {
        let status = if kind == PacketType::Attention { tokens::DONE_ATTENTION } else { tokens::DONE_ERROR };
        let mut out = Vec::new();
        tokens::put_done(&mut out, Done::Statement, status, 0, self.version);
        self.link.send(PacketType::Tabular, &out, true).await
    }

    fn read(&self, message: Message) -> Result<Request, Ended> {
        let Message { kind, body, .. } = message;
        match kind {
            PacketType::Batch => Ok(Request::Batch(request::batch(&body, self.version)?)),
            PacketType::Rpc => {
                match rpc::parse(request::after_headers(&body, self.version)?, self.version) {
                    Ok(calls) => Ok(Request::Rpc(calls)),
                    Err(RpcFault::Malformed(malformed)) => Err(malformed.into()),
                    Err(RpcFault::Unsupported { position, name, number }) => {
                        Ok(Request::Refused(unsupported_parameter(position, &name, number)))
                    }
                }
            }
            PacketType::Transaction => Ok(Request::Transaction(request::transaction(&body, self.version)?)),
            PacketType::Bulk => {
                Ok(Request::Refused(ServerError::new(4022, "Bulk load data is not supported by this server.")))
            }
            other => Err(Ended::Unexpected(other)),
        }
    }

    async fn answer(
        &mut self,
        session: Box<dyn SessionPort>,
        request: Request,
        reset: bool,
        response: &mut Response,
    ) -> Result<work::Finished<()>, Ended> {
        let mut statements = std::mem::take(&mut self.statements);
        let mut stream = std::mem::replace(response, Response::new(self.version, ""));
        let mut transactions = Transactions { open: self.transaction, next: self.next_transaction };
        let finished = work::call(&mut self.link, session, move |session| {
            if reset {
                session.reset();
                statements.clear();
                stream.reset_done();
            }
            match request {
                Request::Batch(sql) => {
                    let answers = session.batch(&sql);
                    transactions.notice(session, &sql, &mut stream);
                    stream.add(answers, Shape::Batch);
                }
                Request::Rpc(calls) => {
                    for call in calls {
                        perform(session, &mut statements, call, &mut stream);
                        transactions.notice(session, "", &mut stream);
                        stream.end_procedure();
                    }
                }
                Request::Transaction(wanted) => transact(session, wanted, &mut transactions, &mut stream),
                Request::Refused(error) => stream.error(&error),
            }
            (statements, stream, transactions)
        })
        .await?;
        let (statements, stream, transactions) = finished.result;
        self.statements = statements;
        self.transaction = transactions.open;
        self.next_transaction = transactions.next;
        *response = stream;
        Ok(work::Finished {
            session: finished.session,
            result: (),
            attention: finished.attention,
            queued: finished.queued,
        })
    }
}

fn unsupported_parameter(position: usize, name: &str, number: u8) -> ServerError {
    let message = format!(
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. \
         Parameter {position} (\"{name}\"): Data type 0x{number:02X} is unknown."
    );
    ServerError::new(8009, message)
}

/// Keeps the client informed of transactions that begin and end.
struct Transactions {
    open: Option<u64>,
    next: u64,
}

impl Transactions {
    /// Compare with the session; `sql` tells a roll-back from a commit.
    fn notice(&mut self, session: &dyn SessionPort, sql: &str, response: &mut Response) {
        match (self.open, session.in_transaction()) {
            (None, true) => {
                response.transaction(8, self.next);
                self.open = Some(self.next);
                self.next += 1;
            }
            (Some(descriptor), false) => {
                let rolled_back = sql.to_ascii_lowercase().contains("rollback");
                response.transaction(if rolled_back { 10 } else { 9 }, descriptor);
                self.open = None;
            }
            _ => {}
        }
    }
}

/// A transaction manager request, run as the batch that says the same.
fn transact(
    session: &mut dyn SessionPort,
    wanted: Transaction,
    transactions: &mut Transactions,
    response: &mut Response,
) {
    let (batches, begin): (Vec<&str>, bool) = match wanted {
        Transaction::Begin { isolation } => (isolation_batch(isolation).into_iter().collect(), true),
        Transaction::Commit { begin } => (vec!["COMMIT TRANSACTION"], begin),
        Transaction::Rollback { begin } => (vec!["ROLLBACK TRANSACTION"], begin),
        Transaction::Save | Transaction::Distributed => {
            let message = "Save points and distributed transactions are not supported by this server.";
            response.error(&ServerError::new(104_409, message));
            return;
        }
    };
    for sql in batches.into_iter().chain(begin.then_some("BEGIN TRANSACTION")) {
        let answers = session.batch(sql);
        transactions.notice(session, sql, response);
        // Only one DONE ends such a request.
        let told = answers.into_iter().filter(|answer| !matches!(answer, Answer::Done { .. })).collect();
        response.add(told, Shape::Batch);
        if response.any_failed() {
            return;
        }
    }
}

fn isolation_batch(level: u8) -> Option<&'static str> {
    match level {
        1 => Some("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED"),
        2 => Some("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        3 => Some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
        4 => Some("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        5 => Some("SET TRANSACTION ISOLATION LEVEL SNAPSHOT"),
        _ => None,
    }
}

/// Run one call of an RPC message.
fn perform(session: &mut dyn SessionPort, statements: &mut Statements, call: Call, response: &mut Response) {
    match perform_inner(session, statements, call, response) {
        Ok(answers) => response.add(answers, Shape::Procedure),
        Err(error) => response.error(&error),
    }
}

fn perform_inner(
    session: &mut dyn SessionPort,
    statements: &mut Statements,
    call: Call,
    response: &mut Response,
) -> Result<Vec<Answer>, ServerError> {
    match call.procedure {
        Procedure::ExecuteSql => {
            let (prepared, params) = prepared::statement(call.params)?;
            execute(session, &prepared, params)
        }
        Procedure::Prepare => {
            let (name, rest) = output_handle(call.params)?;
            // sp_prepare has the parameter list before the text.
            let mut rest = rest.into_iter();
            let list = rest.next();
            let text = rest.next();
            let (prepared, _) = prepared::statement(text.into_iter().chain(list).collect())?;
            let handle = statements.keep(prepared)?;
            response.return_value(name, SqlType::Int, Value::Int(handle.into()));
            Ok(Vec::new())
        }
        Procedure::PrepExec => {
            let (name, rest) = output_handle(call.params)?;
            let mut rest = rest.into_iter();
            let list = rest.next();
            let text = rest.next();
            let (prepared, params) = prepared::statement(text.into_iter().chain(list).chain(rest).collect())?;
            let handle = statements.keep(prepared.clone())?;
            response.return_value(name, SqlType::Int, Value::Int(handle.into()));
            execute(session, &prepared, params)
        }
        Procedure::Execute => {
            let (handle, params) = prepared::handle(call.params)?;
            execute(session, &statements.get(handle)?, params)
        }
        Procedure::Unprepare => {
            let (handle, _) = prepared::handle(call.params)?;
            statements.forget(handle)?;
            Ok(Vec::new())
        }
        Procedure::Cursor(name) => {
            let message = format!("Could not find stored procedure '{name}'.");
            Err(ServerError::new(2812, message).with_state(62))
        }
        Procedure::Named(name) if is_reset(&name) => {
            session.reset();
            statements.clear();
            Ok(Vec::new())
        }
        Procedure::Named(name) => Ok(session.call(&name, call.params)),
    }
}

fn is_reset(name: &str) -> bool {
    name.eq_ignore_ascii_case("sp_reset_connection") || name.eq_ignore_ascii_case("sys.sp_reset_connection")
}

/// The first parameter of `sp_prepare` and `sp_prepexec`, which gets the handle, and the rest.
fn output_handle(params: Vec<crate::session_port::Param>) -> Result<(String, Vec<crate::session_port::Param>), ServerError> {
    let mut params = params.into_iter();
    let first = params.next().ok_or_else(|| {
        ServerError::new(201, "Procedure or function expects parameter '@handle', which was not supplied.")
    })?;
    Ok((first.name, params.collect()))
}

fn execute(
    session: &mut dyn SessionPort,
    prepared: &prepared::Prepared,
    params: Vec<crate::session_port::Param>,
) -> Result<Vec<Answer>, ServerError> {
    let params = param_definition::bind(&prepared.declared, params)?;
    Ok(session.execute_sql(&prepared.sql, params))
}
