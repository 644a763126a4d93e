//! Turns answers into one token stream.

use crate::answer::{Answer, Column, ServerError, SqlType, Value};

use super::tokens::{self, DONE_COUNT, DONE_ERROR, DONE_MORE, Done};
use super::value;
use super::version::TdsVersion;

const ROW: u8 = 0xD1;
/// Errors of this severity and above end the connection.
const FATAL: u8 = 20;

/// Which kind of request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Ends with DONE
    Batch,
    /// Ends with RETURNSTATUS and DONEPROC
    Procedure,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    Continue,
    /// It is closed when everything was sent.
    Close,
    /// It is cut; what was sent is no whole message.
    Cut,
}

/// A token stream that grows.
#[derive(Debug)]
pub struct Response {
    version: TdsVersion,
    server: String,
    out: Vec<u8>,
    /// Columns of the open result set.
    columns: Option<Vec<Column>>,
    /// An error came since the last DONE.
    failed: bool,
    any_failed: bool,
    /// Where the status of the DONE is that ended `out`, if one did.
    last_done: Option<usize>,
    status: Option<i32>,
    returned: Vec<u8>,
    returned_count: u16,
    after: After,
}

impl Response {
    /// An empty stream for a client of `version`; `server` is named in messages.
    pub fn new(version: TdsVersion, server: &str) -> Self {
        Self {
            version,
            server: server.to_owned(),
            out: Vec::new(),
            columns: None,
            failed: false,
            any_failed: false,
            last_done: None,
            status: None,
            returned: Vec::new(),
            returned_count: 0,
            after: After::Continue,
        }
    }

    /// Whether an error was sent.
    pub fn any_failed(&self) -> bool {
        self.any_failed
    }

    /// Add the answers to one request.
    pub fn add(&mut self, answers: Vec<Answer>, shape: Shape) {
        for answer in answers {
            if self.after == After::Cut {
                return;
            }
            self.push(answer, shape);
        }
    }

    fn push(&mut self, answer: Answer, shape: Shape) {
        match answer {
            Answer::Columns(columns) => {
                let version = self.version;
                tokens::put_columns(self.token(), &columns, version);
                self.columns = Some(columns);
            }
            Answer::Row(row) => self.row(row),
            Answer::Done { rows } => self.done(rows, shape),
            Answer::Error(error) => self.error(&error),
            Answer::Info(message) => {
                let (version, server) = (self.version, std::mem::take(&mut self.server));
                tokens::put_message(self.token(), false, &message, &server, version);
                self.server = server;
            }
            Answer::ReturnStatus(status) => self.status = Some(status),
            Answer::ReturnValue { name, ty, value } => self.return_value(name, ty, value),
            Answer::DatabaseChanged { from, to } => tokens::put_env_text(self.token(), 1, &to, &from),
            Answer::Hangup => self.after = After::Cut,
        }
    }

    /// The buffer, to which a token other than DONE is about to be added.
    fn token(&mut self) -> &mut Vec<u8> {
        self.last_done = None;
        &mut self.out
    }

    /// An error; of severity 20 and above the connection ends with this answer.
    pub fn error(&mut self, error: &ServerError) {
        let (version, server) = (self.version, std::mem::take(&mut self.server));
        tokens::put_message(self.token(), true, error, &server, version);
        self.server = server;
        self.failed = true;
        self.any_failed = true;
        if error.class >= FATAL && self.after == After::Continue {
            self.after = After::Close;
        }
    }

    /// ENVCHANGE of a transaction: 8 begun, 9 committed, 10 rolled back.
    pub fn transaction(&mut self, kind: u8, descriptor: u64) {
        let bytes = descriptor.to_le_bytes();
        let (new, old): (&[u8], &[u8]) = if kind == 8 { (&bytes, &[]) } else { (&[], &bytes) };
        tokens::put_env_bytes(self.token(), kind, new, old);
    }

    /// ENVCHANGE that session state was reset, as the client asked.
    pub fn reset_done(&mut self) {
        tokens::put_env_bytes(self.token(), 18, &[], &[]);
    }

    fn row(&mut self, row: Vec<Value>) {
        let Some(columns) = self.columns.take() else { return };
        let at = self.out.len();
        self.token().push(ROW);
        let result = if row.len() == columns.len() {
            row.into_iter()
                .zip(&columns)
                .try_for_each(|(value, column)| value::put(&mut self.out, value, column.ty, self.version))
        } else {
            Err(ServerError::new(8180, "A row has another number of values than its columns."))
        };
        match result {
            Ok(()) => self.columns = Some(columns),
            // The columns stay taken, so that the rest of the rows is left out.
            Err(error) => {
                self.out.truncate(at);
                self.error(&error);
            }
        }
    }

    fn done(&mut self, rows: Option<u64>, shape: Shape) {
        let kind = match shape {
            Shape::Batch => Done::Statement,
            Shape::Procedure => Done::InProcedure,
        };
        let mut status = DONE_MORE;
        if self.failed {
            status |= DONE_ERROR;
        }
        if rows.is_some() && !self.failed {
            status |= DONE_COUNT;
        }
        self.put_done(kind, status, rows.unwrap_or(0));
    }

    fn put_done(&mut self, kind: Done, status: u16, rows: u64) {
        self.columns = None;
        self.failed = false;
        self.last_done = Some(self.out.len() + 1);
        tokens::put_done(&mut self.out, kind, status, rows, self.version);
    }

    /// Keep a return value until the end, where its place is.
    pub fn return_value(&mut self, name: String, ty: SqlType, value: Value) {
        let at = self.returned.len();
        let column = Column::new(name, ty);
        tokens::put_return_value_head(&mut self.returned, self.returned_count, &column, self.version);
        match value::put(&mut self.returned, value, ty, self.version) {
            Ok(()) => self.returned_count = self.returned_count.saturating_add(1),
            Err(error) => {
                self.returned.truncate(at);
                self.error(&error);
            }
        }
    }

    /// End a procedure: status, return values, DONEPROC. Several may follow one another in one message.
    pub fn end_procedure(&mut self) {
        let status = self.status.take().unwrap_or(i32::from(self.failed));
        tokens::put_return_status(self.token(), status);
        let returned = std::mem::take(&mut self.returned);
        self.returned_count = 0;
        self.out.extend_from_slice(&returned);
        let error = if self.failed { DONE_ERROR } else { 0 };
        self.put_done(Done::Procedure, DONE_MORE | error, 0);
    }

    /// The stream with its last DONE marked as the last, and what follows it.
    pub fn finish(mut self) -> (Vec<u8>, After) {
        if self.after == After::Cut {
            return (self.out, After::Cut);
        }
        if self.last_done.is_none() {
            let error = if self.failed { DONE_ERROR } else { 0 };
            self.put_done(Done::Statement, error, 0);
        }
        if let Some(status) = self.last_done.and_then(|at| self.out.get_mut(at)) {
            // DONE_MORE is in the low byte of the status.
            *status &= !1;
        }
        (self.out, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(answers: Vec<Answer>, shape: Shape) -> Vec<u8> {
        let mut response = Response::new(TdsVersion::V7_4, "");
        response.add(answers, shape);
        if shape == Shape::Procedure {
            response.end_procedure();
        }
        response.finish().0
    }

    /// (token, status) of a stream that consists of DONE tokens only.
    fn dones(bytes: &[u8]) -> Vec<(u8, u8)> {
        bytes.chunks(13).map(|done| (done[0], done[1])).collect()
    }

    #[test]
    fn only_the_last_done_lacks_more() {
        let done = || Answer::Done { rows: Some(1) };
        assert_eq!(dones(&stream(vec![done(), done()], Shape::Batch)), [(0xFD, 0x11), (0xFD, 0x10)]);
        assert_eq!(dones(&stream(vec![], Shape::Batch)), [(0xFD, 0)]);
    }

    #[test]
    fn a_procedure_ends_with_its_status() {
        let bytes = stream(vec![Answer::Done { rows: Some(1) }], Shape::Procedure);
        assert_eq!(bytes[..2], [0xFF, 0x11]);
        assert_eq!(bytes[13..18], [0x79, 0, 0, 0, 0]);
        assert_eq!(bytes[18..20], [0xFE, 0]);
    }

    #[test]
    fn an_error_marks_the_done_that_ends_its_statement() {
        let bytes = stream(
            vec![Answer::Error(ServerError::new(1, "x")), Answer::Done { rows: Some(4) }],
            Shape::Batch,
        );
        assert_eq!(bytes[bytes.len() - 13..bytes.len() - 11], [0xFD, 0x02]);
        let bytes = stream(vec![Answer::Error(ServerError::new(1, "x"))], Shape::Batch);
        assert_eq!(bytes[bytes.len() - 13..bytes.len() - 11], [0xFD, 0x02]);
    }

    #[test]
    fn a_value_that_does_not_fit_ends_its_rows_with_an_error() {
        let columns = Answer::Columns(vec![Column::new("n", SqlType::TinyInt)]);
        let row = |n| Answer::Row(vec![Value::Int(n)]);
        let bytes =
            stream(vec![columns, row(1), row(256), row(2), Answer::Done { rows: Some(3) }], Shape::Batch);
        assert_eq!(bytes.windows(3).filter(|window| window[..2] == [ROW, 1]).count(), 1);
        assert_eq!(bytes[bytes.len() - 12], 0x02);
    }

    #[test]
    fn fatal_errors_close_and_hangups_cut() {
        let mut response = Response::new(TdsVersion::V7_4, "");
        response.add(vec![Answer::Error(ServerError::new(1, "x").with_class(20))], Shape::Batch);
        assert_eq!(response.finish().1, After::Close);
        let mut response = Response::new(TdsVersion::V7_4, "");
        response.add(
            vec![Answer::Done { rows: None }, Answer::Hangup, Answer::Done { rows: None }],
            Shape::Batch,
        );
        let (bytes, after) = response.finish();
        assert_eq!((bytes.len(), after), (13, After::Cut));
    }
}
