//! PRELOGIN (2.2.6.5): version, encryption and federated authentication are agreed.

use super::reader::{Malformed, Reader};

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD_ID: u8 = 3;
const MARS: u8 = 4;
const FEDAUTH_REQUIRED: u8 = 6;
const TERMINATOR: u8 = 0xFF;

/// What one side says about encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionFlag {
    /// Only the login record
    Off,
    /// Everything
    On,
    /// Nothing, for want of TLS
    NotSupported,
    /// Everything, or no connection
    Required,
}

impl EncryptionFlag {
    fn from_number(number: u8) -> Result<Self, Malformed> {
        match number {
            0 => Ok(Self::Off),
            1 => Ok(Self::On),
            2 => Ok(Self::NotSupported),
            3 => Ok(Self::Required),
            _ => Err(Malformed("encryption option of PRELOGIN")),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::NotSupported => 2,
            Self::Required => 3,
        }
    }
}

/// How much of a connection TLS covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Nothing
    Nothing,
    /// The login record; what follows is in clear
    Login,
    /// Everything from the login record on
    Everything,
}

/// What a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// No TLS
    Unsupported,
    /// TLS as the client likes
    Optional,
    /// TLS for everything
    Required,
}

/// What is answered to a client's flag, and what then follows (2.2.6.5).
/// `None` as cover: the client must give up, and the server does.
pub fn agree(offer: Offer, client: EncryptionFlag) -> (EncryptionFlag, Option<Cover>) {
    use EncryptionFlag::{NotSupported, Off, On, Required};
    match (offer, client) {
        (Offer::Unsupported, Off) | (Offer::Unsupported | Offer::Optional, NotSupported) => {
            (NotSupported, Some(Cover::Nothing))
        }
        (Offer::Unsupported, On | Required) => (NotSupported, None),
        (Offer::Optional, Off) => (Off, Some(Cover::Login)),
        (Offer::Required, Off) => (Required, Some(Cover::Everything)),
        (Offer::Required, NotSupported) => (Required, None),
        (Offer::Optional | Offer::Required, On | Required) => (On, Some(Cover::Everything)),
    }
}

/// What a client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prelogin {
    /// Its wish; without the option it is [`EncryptionFlag::NotSupported`].
    pub encryption: EncryptionFlag,
    /// Whether it knows about federated authentication.
    pub fedauth: bool,
}

/// Read a client's PRELOGIN. Unknown options are passed over.
pub fn parse(body: &[u8]) -> Result<Prelogin, Malformed> {
    let mut found = Prelogin { encryption: EncryptionFlag::NotSupported, fedauth: false };
    let mut table = Reader::new(body);
    loop {
        let option = table.u8()?;
        if option == TERMINATOR {
            return Ok(found);
        }
        let offset = usize::from(u16::from_be_bytes(table.array()?));
        let length = usize::from(u16::from_be_bytes(table.array()?));
        let value =
            body.get(offset..offset + length).ok_or(Malformed("PRELOGIN option outside the message"))?;
        match (option, value) {
            (ENCRYPTION, [flag, ..]) => found.encryption = EncryptionFlag::from_number(*flag)?,
            (FEDAUTH_REQUIRED, [flag, ..]) => found.fedauth = *flag == 1,
            _ => {}
        }
    }
}

/// The server's answer.
pub fn reply(version: [u8; 6], encryption: EncryptionFlag, fedauth: bool) -> Vec<u8> {
    let encryption = [encryption.number()];
    let fedauth_option: &[u8] = if fedauth { &[1] } else { &[] };
    let mut options: Vec<(u8, &[u8])> = vec![
        (VERSION, &version),
        (ENCRYPTION, &encryption),
        // 0: the instance asked for is this one.
        (INSTANCE, &[0]),
        (THREAD_ID, &[]),
        (MARS, &[0]),
    ];
    if fedauth {
        options.push((FEDAUTH_REQUIRED, fedauth_option));
    }
    let mut offset = options.len() * 5 + 1;
    let mut out = Vec::with_capacity(offset + 16);
    for (option, value) in &options {
        out.push(*option);
        out.extend_from_slice(&u16::try_from(offset).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        offset += value.len();
    }
    out.push(TERMINATOR);
    for (_, value) in &options {
        out.extend_from_slice(value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_reads_back() {
        let bytes = reply([10, 0, 0, 0, 0, 0], EncryptionFlag::On, true);
        assert_eq!(parse(&bytes), Ok(Prelogin { encryption: EncryptionFlag::On, fedauth: true }));
        let bytes = reply([10, 0, 0, 0, 0, 0], EncryptionFlag::Off, false);
        assert_eq!(parse(&bytes), Ok(Prelogin { encryption: EncryptionFlag::Off, fedauth: false }));
    }

    #[test]
    fn offsets_outside_and_missing_terminators_are_refused() {
        assert!(parse(&[ENCRYPTION, 0xFF, 0xFF, 0xFF, 0xFF, TERMINATOR]).is_err());
        assert!(parse(&[ENCRYPTION, 0, 6, 0, 1]).is_err());
        assert!(parse(&[]).is_err());
    }

    #[test]
    fn encryption_is_agreed_as_the_table_says() {
        use EncryptionFlag::{NotSupported, Off, On, Required};
        assert_eq!(agree(Offer::Unsupported, Off), (NotSupported, Some(Cover::Nothing)));
        assert_eq!(agree(Offer::Unsupported, Required), (NotSupported, None));
        assert_eq!(agree(Offer::Optional, Off), (Off, Some(Cover::Login)));
        assert_eq!(agree(Offer::Optional, On), (On, Some(Cover::Everything)));
        assert_eq!(agree(Offer::Required, NotSupported), (Required, None));
        assert_eq!(agree(Offer::Required, Off), (Required, Some(Cover::Everything)));
    }
}
