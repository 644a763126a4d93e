//! Packets (2.2.3): messages are put together from them and cut into them.

/// Bytes of a packet header.
pub const HEADER: usize = 8;
/// Packet size before negotiation.
pub const DEFAULT_PACKET_SIZE: usize = 4096;
/// Bounds of the negotiated size (2.2.6.4).
pub const PACKET_SIZES: std::ops::RangeInclusive<usize> = 512..=32767;

const STATUS_END: u8 = 0x01;
const STATUS_IGNORE: u8 = 0x02;
const STATUS_RESET: u8 = 0x08;
const STATUS_RESET_KEEP_TRANSACTION: u8 = 0x10;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// SQL text
    Batch,
    /// Procedure call
    Rpc,
    /// Answer of the server
    Tabular,
    /// Stop what runs
    Attention,
    /// Bulk load
    Bulk,
    /// Token of the two-step federated login
    FedAuthToken,
    /// Begin, commit, roll back
    Transaction,
    /// Login record
    Login7,
    /// Integrated security
    Sspi,
    /// Before login, and TLS handshake bytes
    Prelogin,
}

impl PacketType {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::Batch => 1,
            Self::Rpc => 3,
            Self::Tabular => 4,
            Self::Attention => 6,
            Self::Bulk => 7,
            Self::FedAuthToken => 8,
            Self::Transaction => 14,
            Self::Login7 => 16,
            Self::Sspi => 17,
            Self::Prelogin => 18,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [
            Self::Batch,
            Self::Rpc,
            Self::Tabular,
            Self::Attention,
            Self::Bulk,
            Self::FedAuthToken,
            Self::Transaction,
            Self::Login7,
            Self::Sspi,
            Self::Prelogin,
        ]
        .into_iter()
        .find(|kind| kind.number() == number)
    }
}

/// A whole message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: PacketType,
    /// The client took it back while sending.
    pub ignored: bool,
    /// Session state is to be reset first.
    pub reset: bool,
    /// Its bytes without headers.
    pub body: Vec<u8>,
}

/// Bytes came in that are no packets, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Not a known packet type.
    #[error("unknown packet type {0:#04x}")]
    Type(u8),
    /// A length that no packet can have.
    #[error("impossible packet length {0}")]
    Length(u16),
    /// A message of one type went on as another.
    #[error("packet type changes within a message")]
    Mixed,
    /// More than the limit.
    #[error("message is longer than {0} bytes")]
    TooLong(usize),
}

/// Puts messages together. Bytes go in as they come from the socket.
#[derive(Debug)]
pub struct Assembler {
    input: Vec<u8>,
    open: Option<Message>,
    limit: usize,
}

impl Assembler {
    /// An empty one that refuses messages of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { input: Vec::new(), open: None, limit }
    }

    /// Change the limit, which is tighter before login.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Where bytes from the socket are appended.
    pub fn input(&mut self) -> &mut Vec<u8> {
        &mut self.input
    }

    /// Whether no byte waits to be used.
    pub fn is_idle(&self) -> bool {
        self.input.is_empty() && self.open.is_none()
    }

    /// The next message that is complete.
    pub fn next(&mut self) -> Result<Option<Message>, PacketError> {
        let mut used = 0;
        let mut complete = None;
        while complete.is_none() {
            let Some(packet) = first_packet(&self.input, used)? else { break };
            used = packet.body.end;
            complete = self.add(&packet)?.then(|| self.open.take()).flatten();
        }
        self.input.drain(..used);
        Ok(complete)
    }

    /// Add one packet; true if it ends its message.
    fn add(&mut self, packet: &PacketView) -> Result<bool, PacketError> {
        let body = &self.input[packet.body.clone()];
        let message = self.open.get_or_insert_with(|| Message {
            kind: packet.kind,
            ignored: false,
            reset: packet.status & (STATUS_RESET | STATUS_RESET_KEEP_TRANSACTION) != 0,
            body: Vec::new(),
        });
        if message.kind != packet.kind {
            return Err(PacketError::Mixed);
        }
        if message.body.len() + body.len() > self.limit {
            return Err(PacketError::TooLong(self.limit));
        }
        message.body.extend_from_slice(body);
        message.ignored = packet.status & STATUS_IGNORE != 0;
        Ok(packet.status & STATUS_END != 0)
    }
}

struct PacketView {
    kind: PacketType,
    status: u8,
    body: std::ops::Range<usize>,
}

/// The packet that begins at `start`, if all of it is there.
fn first_packet(bytes: &[u8], start: usize) -> Result<Option<PacketView>, PacketError> {
    let bytes = &bytes[start..];
    let Some([kind, status, high, low, ..]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let kind = PacketType::from_number(*kind).ok_or(PacketError::Type(*kind))?;
    let length = u16::from_be_bytes([*high, *low]);
    let size = usize::from(length);
    if size < HEADER || size > *PACKET_SIZES.end() {
        return Err(PacketError::Length(length));
    }
    if bytes.len() < size {
        return Ok(None);
    }
    Ok(Some(PacketView { kind, status: *status, body: start + HEADER..start + size }))
}

/// Cut an answer into packets of at most `size` bytes, headers counted.
/// `complete` says whether the last packet ends the message.
pub fn split(kind: PacketType, spid: u16, body: &[u8], size: usize, complete: bool) -> Vec<u8> {
    let room = size.clamp(*PACKET_SIZES.start(), *PACKET_SIZES.end()) - HEADER;
    let count = body.len().div_ceil(room).max(1);
    let mut out = Vec::with_capacity(body.len() + count * HEADER);
    for index in 0..count {
        let start = index * room;
        let chunk = &body[start..body.len().min(start + room)];
        let last = index + 1 == count;
        let length = u16::try_from(chunk.len() + HEADER).unwrap_or(u16::MAX);
        out.push(kind.number());
        out.push(if last && complete { STATUS_END } else { 0 });
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&spid.to_be_bytes());
        // The packet id counts from 1 and wraps; clients do not check it.
        out.push(u8::try_from((index + 1) % 256).unwrap_or(0));
        out.push(0);
        out.extend_from_slice(chunk);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_comes_together_byte_by_byte() {
        let body: Vec<u8> = (0..100_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let wire = split(PacketType::Batch, 7, &body, 4096, true);
        let mut assembler = Assembler::new(200_000);
        let mut found = Vec::new();
        for chunk in wire.chunks(13) {
            assembler.input().extend_from_slice(chunk);
            found.extend(assembler.next().unwrap());
        }
        assert_eq!(found, [Message { kind: PacketType::Batch, ignored: false, reset: false, body }]);
        assert!(assembler.is_idle());
    }

    #[test]
    fn an_empty_answer_is_one_packet() {
        assert_eq!(split(PacketType::Tabular, 0x0102, &[], 4096, true), [4, 1, 0, 8, 1, 2, 1, 0]);
    }

    #[test]
    fn two_messages_in_one_read_are_two() {
        let mut assembler = Assembler::new(100);
        assembler.input().extend(split(PacketType::Batch, 0, b"a", 512, true));
        assembler.input().extend(split(PacketType::Attention, 0, b"", 512, true));
        assert_eq!(assembler.next().unwrap().unwrap().kind, PacketType::Batch);
        assert_eq!(assembler.next().unwrap().unwrap().kind, PacketType::Attention);
        assert_eq!(assembler.next().unwrap(), None);
    }

    #[test]
    fn limits_and_nonsense_are_refused() {
        let mut assembler = Assembler::new(1000);
        assembler.input().extend(split(PacketType::Batch, 0, &[0; 1001], 512, true));
        assert_eq!(assembler.next(), Err(PacketError::TooLong(1000)));

        let mut assembler = Assembler::new(1000);
        assembler.input().extend([99, 1, 0, 8, 0, 0, 0, 0]);
        assert_eq!(assembler.next(), Err(PacketError::Type(99)));

        let mut assembler = Assembler::new(1000);
        assembler.input().extend([1, 1, 0, 7, 0, 0, 0, 0]);
        assert_eq!(assembler.next(), Err(PacketError::Length(7)));

        let mut assembler = Assembler::new(1000);
        assembler.input().extend(split(PacketType::Batch, 0, b"a", 512, false));
        assembler.input().extend(split(PacketType::Rpc, 0, b"a", 512, true));
        assert_eq!(assembler.next(), Err(PacketError::Mixed));
    }

    #[test]
    fn a_message_taken_back_says_so() {
        let mut assembler = Assembler::new(1000);
        assembler.input().extend([1, STATUS_END | STATUS_IGNORE | STATUS_RESET, 0, 9, 0, 0, 1, 0, 5]);
        let message = assembler.next().unwrap().unwrap();
        assert!(message.ignored && message.reset);
    }
}
