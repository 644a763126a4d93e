//! LOGIN7 (2.2.6.4): who logs in, from where, to what.

use crate::session_port::Credentials;

use super::reader::{Malformed, Reader, utf16};

/// Fixed part up to and including the last offset pair that every version has.
const FIXED: usize = 86;
const FLAGS2_INTEGRATED: u8 = 0x80;
const FLAGS3_EXTENSION: u8 = 0x10;
const FEATURE_FEDAUTH: u8 = 0x02;
const FEATURE_END: u8 = 0xFF;
const LIBRARY_SECURITY_TOKEN: u8 = 1;

/// How a client wants to prove itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// In the record itself.
    Given(Credentials),
    /// Integrated security, which this server does not do.
    Integrated,
    /// A federated library other than the security token (the two-step flow).
    OtherLibrary(u8),
}

/// A login record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login7 {
    /// Version asked for.
    pub version: u32,
    /// Packet size asked for; 0 leaves it to the server.
    pub packet_size: u32,
    /// Proof of identity.
    pub proof: Proof,
    /// Nonce that came with a token and is sent back.
    pub nonce: Option<[u8; 32]>,
    /// Workstation.
    pub host_name: String,
    /// Application.
    pub app_name: String,
    /// Database asked for; may be empty.
    pub database: String,
    /// Language asked for; may be empty.
    pub language: String,
}

/// Proof and nonce that a FEDAUTH feature carries.
type Federated = (Proof, Option<[u8; 32]>);

/// Read a login record.
pub fn parse(body: &[u8]) -> Result<Login7, Malformed> {
    let mut head = Reader::new(body);
    if head.length32()? != body.len() || body.len() < FIXED {
        return Err(Malformed("length of LOGIN7"));
    }
    let version = head.u32()?;
    let packet_size = head.u32()?;
    // Client program version, process id, connection id.
    head.take(12)?;
    let [_, flags2, _, flags3] = head.array::<4>()?;
    // Time zone and LCID.
    head.take(8)?;
    let record = Record { body };
    let host_name = record.text(&mut head)?;
    let user = record.text(&mut head)?;
    let password = record.password(&mut head)?;
    let app_name = record.text(&mut head)?;
    let _server = record.text(&mut head)?;
    let extension = pair(&mut head)?;
    let _library = record.text(&mut head)?;
    let language = record.text(&mut head)?;
    let database = record.text(&mut head)?;

    let federated = if flags3 & FLAGS3_EXTENSION == 0 { None } else { record.fedauth(extension)? };
    let (proof, nonce) = match federated {
        Some(federated) => federated,
        None if flags2 & FLAGS2_INTEGRATED != 0 => (Proof::Integrated, None),
        None => (Proof::Given(Credentials::Sql { user, password }), None),
    };
    Ok(Login7 { version, packet_size, proof, nonce, host_name, app_name, database, language })
}

/// An offset in bytes and a length in the unit of its field.
fn pair(head: &mut Reader<'_>) -> Result<(usize, usize), Malformed> {
    Ok((usize::from(head.u16()?), usize::from(head.u16()?)))
}

struct Record<'a> {
    body: &'a [u8],
}

impl<'a> Record<'a> {
    fn slice(&self, offset: usize, length: usize) -> Result<&'a [u8], Malformed> {
        // Clients leave any offset in fields of length 0.
        if length == 0 {
            return Ok(&[]);
        }
        self.body.get(offset..offset + length).ok_or(Malformed("LOGIN7 field outside the record"))
    }

    fn text(&self, head: &mut Reader<'_>) -> Result<String, Malformed> {
        let (offset, units) = pair(head)?;
        utf16(self.slice(offset, units * 2)?)
    }

    /// Each byte had its halves swapped and was XORed with 0xA5.
    fn password(&self, head: &mut Reader<'_>) -> Result<String, Malformed> {
        let (offset, units) = pair(head)?;
        let clear: Vec<u8> =
            self.slice(offset, units * 2)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
        utf16(&clear)
    }

    /// The FEDAUTH feature, if the record has one. The extension field holds
    /// the offset of an offset (2.2.6.4, FeatureExt).
    fn fedauth(&self, (offset, length): (usize, usize)) -> Result<Option<Federated>, Malformed> {
        let start = Reader::new(self.slice(offset, length)?).length32()?;
        let mut features =
            Reader::new(self.body.get(start..).ok_or(Malformed("features outside the record"))?);
        loop {
            match features.u8()? {
                FEATURE_END => return Ok(None),
                FEATURE_FEDAUTH => {
                    let length = features.length32()?;
                    return fedauth_option(Reader::new(features.take(length)?)).map(Some);
                }
                _ => {
                    let length = features.length32()?;
                    features.take(length)?;
                }
            }
        }
    }
}

fn fedauth_option(mut option: Reader<'_>) -> Result<Federated, Malformed> {
    // The lowest bit echoes what PRELOGIN agreed.
    let library = option.u8()? >> 1;
    if library != LIBRARY_SECURITY_TOKEN {
        return Ok((Proof::OtherLibrary(library), None));
    }
    let length = option.length32()?;
    let jwt = utf16(option.take(length)?)?;
    let nonce = if option.is_empty() { None } else { Some(option.array()?) };
    Ok((Proof::Given(Credentials::Token { jwt }), nonce))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A record as clients write it, with an optional feature block.
    pub fn record(user: &str, password: &str, database: &str, features: Option<&[u8]>) -> Vec<u8> {
        let mut fixed = vec![0; 94];
        fixed[4..8].copy_from_slice(&0x7400_0004_u32.to_le_bytes());
        fixed[8..12].copy_from_slice(&4096_u32.to_le_bytes());
        let mut tail: Vec<u8> = Vec::new();
        let mut put = |at: usize, bytes: &[u8], unit: usize, fixed: &mut Vec<u8>| {
            let offset = u16::try_from(94 + tail.len()).unwrap();
            fixed[at..at + 2].copy_from_slice(&offset.to_le_bytes());
            fixed[at + 2..at + 4].copy_from_slice(&u16::try_from(bytes.len() / unit).unwrap().to_le_bytes());
            tail.extend_from_slice(bytes);
        };
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        put(36, &wide("host"), 2, &mut fixed);
        put(40, &wide(user), 2, &mut fixed);
        let hidden: Vec<u8> = wide(password).iter().map(|byte| byte.rotate_left(4) ^ 0xA5).collect();
        put(44, &hidden, 2, &mut fixed);
        put(48, &wide("app"), 2, &mut fixed);
        put(68, &wide(database), 2, &mut fixed);
        if let Some(features) = features {
            fixed[27] = FLAGS3_EXTENSION;
            let here = u32::try_from(94 + tail.len() + 4).unwrap();
            let offset = u16::try_from(94 + tail.len()).unwrap();
            fixed[56..58].copy_from_slice(&offset.to_le_bytes());
            fixed[58..60].copy_from_slice(&4_u16.to_le_bytes());
            tail.extend_from_slice(&here.to_le_bytes());
            tail.extend_from_slice(features);
        }
        fixed.extend(tail);
        let length = u32::try_from(fixed.len()).unwrap();
        fixed[..4].copy_from_slice(&length.to_le_bytes());
        fixed
    }

    #[test]
    fn sql_login_is_read_with_its_password_in_clear() {
        let login = parse(&record("sa", "Pässwörd!", "dw", None)).unwrap();
        assert_eq!(
            login.proof,
            Proof::Given(Credentials::Sql { user: "sa".into(), password: "Pässwörd!".into() })
        );
        assert_eq!(
            (login.host_name.as_str(), login.app_name.as_str(), login.database.as_str()),
            ("host", "app", "dw")
        );
    }

    #[test]
    fn a_security_token_is_read_past_other_features() {
        let jwt: Vec<u8> = "h.p.s".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut features = vec![0x0A, 1, 0, 0, 0, 1, FEATURE_FEDAUTH];
        features.extend(u32::try_from(5 + jwt.len() + 32).unwrap().to_le_bytes());
        features.push(0x03);
        features.extend(u32::try_from(jwt.len()).unwrap().to_le_bytes());
        features.extend(&jwt);
        features.extend([7; 32]);
        features.push(FEATURE_END);
        let login = parse(&record("", "", "dw", Some(&features))).unwrap();
        assert_eq!(login.proof, Proof::Given(Credentials::Token { jwt: "h.p.s".into() }));
        assert_eq!(login.nonce, Some([7; 32]));
    }

    #[test]
    fn the_two_step_library_is_told_apart() {
        let features = [FEATURE_FEDAUTH, 2, 0, 0, 0, 0x04, 1, FEATURE_END];
        assert_eq!(parse(&record("", "", "", Some(&features))).unwrap().proof, Proof::OtherLibrary(2));
    }

    #[test]
    fn any_cut_of_a_record_is_an_error_and_no_panic() {
        let full = record("sa", "secret", "dw", Some(&[FEATURE_FEDAUTH, 2, 0, 0, 0, 0x04, 1, FEATURE_END]));
        for cut in 0..full.len() {
            assert!(parse(&full[..cut]).is_err());
        }
    }
}
