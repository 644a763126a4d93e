//! The life of a connection after login: requests in turn, until one side ends it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::ServerError;
use crate::session_port::{BulkRows, Engine, SessionPort};
use crate::tds::bulk;
use crate::tds::packet::{Message, PacketType};
use crate::tds::param::ParamFault;
use crate::tds::request::{self, Transaction};
use crate::tds::response::{After, Response, Shape};
use crate::tds::rpc::{self, Call, RpcFault};
use crate::tds::tokens::{self, Done};
use crate::tds::version::TdsVersion;

use super::config::WireConfig;
use super::handshake::{self, MAX_LOGIN};
use super::link::{Ended, Link};
use super::prepared::Statements;
use super::procedures::perform;
use super::transactions::{Transactions, transact};
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
    let logged_in =
        tokio::time::timeout(config.login_timeout, login).await.map_err(|_| Ended::LoginTimeout)??;
    let Some(logged_in) = logged_in else { return Ok(()) };
    link.set_limit(config.max_message);
    let connection = Connection {
        link,
        version: logged_in.version,
        server: config.server_name.clone(),
        statements: Statements::default(),
        transactions: Transactions::default(),
    };
    connection.run(logged_in.session).await
}

struct Connection {
    link: Link,
    version: TdsVersion,
    server: String,
    statements: Statements,
    transactions: Transactions,
}

/// What a request is, before it is run.
enum Request {
    Batch(String),
    Rpc(Vec<Call>),
    Transaction(Transaction),
    Bulk(BulkRows),
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
            let mut killed = session.killed();
            tokio::select! {
                sent = self.link.send(PacketType::Tabular, &bytes, after != After::Cut) => sent?,
                // A client that does not read its answer must not outlive its session.
                () = work::until_killed(&mut killed) => return Err(Ended::Cut),
            }
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
            PacketType::Rpc => match rpc::parse(request::after_headers(&body, self.version)?, self.version) {
                Ok(calls) => Ok(Request::Rpc(calls)),
                Err(RpcFault::Malformed(malformed)) => Err(malformed.into()),
                Err(RpcFault::Unsupported { position, name, number }) => {
                    Ok(Request::Refused(unsupported_parameter(position, &name, number)))
                }
            },
            PacketType::Transaction => Ok(Request::Transaction(request::transaction(&body, self.version)?)),
            PacketType::Bulk => match bulk::parse(&body, self.version) {
                Ok(rows) => Ok(Request::Bulk(rows)),
                Err(ParamFault::Malformed(malformed)) => Err(malformed.into()),
                Err(ParamFault::Unsupported(number)) => Ok(Request::Refused(unsupported_column(number))),
            },
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
        let mut transactions = self.transactions;
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
                Request::Bulk(rows) => {
                    let answers = session.load(rows);
                    transactions.notice(session, "", &mut stream);
                    stream.add(answers, Shape::Batch);
                }
                Request::Refused(error) => stream.error(&error),
            }
            (statements, stream, transactions)
        })
        .await?;
        let (statements, stream, transactions) = finished.result;
        self.statements = statements;
        self.transactions = transactions;
        *response = stream;
        Ok(work::Finished {
            session: finished.session,
            result: (),
            attention: finished.attention,
            queued: finished.queued,
        })
    }
}

fn unsupported_column(number: u8) -> ServerError {
    ServerError::new(4816, format!("Data type 0x{number:02X} is unknown in a bulk load."))
}

fn unsupported_parameter(position: usize, name: &str, number: u8) -> ServerError {
    let message = format!(
        "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect. \
         Parameter {position} (\"{name}\"): Data type 0x{number:02X} is unknown."
    );
    ServerError::new(8009, message)
}
