//! `postgres://user@host/database?sslmode=verify-full`: how the configuration names a database.

use std::fmt;
use std::str::FromStr as _;

use axon_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The parameters that an address may have; `schema` and `readers` are ours, the others libpq's.
const PARAMETERS: [&str; 10] = [
    "schema",
    "readers",
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "application_name",
];

/// What else libpq has and is taken: a client certificate for TLS.
const CERTIFICATE: [&str; 2] = ["sslcert", "sslkey"];

/// A schema of a database that holds a store. It is shown without its password.
#[derive(Clone)]
pub struct Address {
    pub(crate) connect: PgConnectOptions,
    pub(crate) schema: String,
    pub(crate) readers: u32,
    shown: String,
}

impl Address {
    /// The database of `postgres://[user[:password]@]host[:port]/database[?parameters]`. Where the host is neither a socket
    /// nor this machine and `sslmode` is left out, the server must show a certificate that is valid for its name.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let shown = without_password(text);
        let refuse = |reason: &str| StoreError::Address { address: shown.clone(), reason: reason.to_owned() };
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(refuse("write postgres://USER@HOST/DATABASE"));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut schema, mut readers, mut moded) = ("axon".to_owned(), 8, false);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !PARAMETERS.contains(&name) && !CERTIFICATE.contains(&name) {
                return Err(refuse(&format!(
                    "{name:?} is no parameter; there are {} and {}",
                    PARAMETERS.join(", "),
                    CERTIFICATE.join(", ")
                )));
            }
            match name {
                "schema" if plain(value) => value.clone_into(&mut schema),
                "schema" => {
                    return Err(refuse("schema: use lower-case letters, digits and _, at most 40 of them"));
                }
                "readers" => {
                    let count = value.parse().ok().filter(|count| (1..=100).contains(count));
                    readers = count.ok_or_else(|| refuse("readers: write a number from 1 to 100"))?;
                }
                _ => {
                    moded |= name == "sslmode";
                    rest.push(pair);
                }
            }
        }
        let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut connect = PgConnectOptions::from_str(&url).map_err(|error| refuse(&error.to_string()))?;
        if connect.get_database().is_none() {
            return Err(refuse("the database is missing; write postgres://USER@HOST/DATABASE"));
        }
        let here = connect.get_socket().is_some()
            || matches!(connect.get_host(), "localhost" | "127.0.0.1" | "::1" | "[::1]");
        if !moded && !here {
            connect = connect.ssl_mode(PgSslMode::VerifyFull);
        }
        if connect.get_application_name().is_none() {
            connect = connect.application_name("axon");
        }
        Ok(Self { connect, schema, readers, shown })
    }

    /// As it was written, without a password.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn plain(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.starts_with("pg_")
}

/// An address with dots where its password is.
pub fn without_password(text: &str) -> String {
    let (base, query) = text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query)));
    let base = match base.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (user, host))) => {
            let user = user.split_once(':').map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:…"));
            format!("{scheme}://{user}@{host}")
        }
        None => base.to_owned(),
    };
    let Some(query) = query else { return base };
    let pairs: Vec<&str> =
        query.split('&').map(|pair| if pair.starts_with("password") { "password=…" } else { pair }).collect();
    format!("{base}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_server_must_show_its_certificate_unless_told_otherwise() {
        let mode = |text: &str| format!("{:?}", Address::parse(text).unwrap().connect.get_ssl_mode());
        assert_eq!(mode("postgres://axon@db.acme.com/axon"), "VerifyFull");
        assert_eq!(mode("postgres://axon@db.acme.com/axon?sslmode=require"), "Require");
        assert_eq!(mode("postgres://axon@localhost/axon"), "Prefer");
        assert_eq!(mode("postgresql://axon@localhost/axon?host=/run/postgresql"), "Prefer");
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://axon:s3cr@t@db/axon?schema=other",
            "postgres://axon@db/axon?password=s3cr%40t&sslmode=disable",
        ] {
            let address = Address::parse(text).unwrap();
            assert!(!format!("{address} {address:?}").contains("s3cr"), "{address:?}");
        }
        let error = Address::parse("postgres://axon:s3cret@db/axon?sslmod=x").unwrap_err().to_string();
        assert!(!error.contains("s3cret") && error.contains("sslmod"), "{error}");
    }

    #[test]
    fn our_own_parameters_are_taken_out() {
        let address = Address::parse("postgres://axon@db/dir?schema=eu_1&readers=3").unwrap();
        assert_eq!((address.schema.as_str(), address.readers), ("eu_1", 3));
        for bad in [
            "mysql://x/y",
            "postgres://axon@db",
            "postgres://axon@db/x?schema=\"a\"",
            "postgres://axon@db/x?schema=pg_x",
            "postgres://axon@db/x?readers=0",
            "postgres://axon@db/x?options=-c",
        ] {
            assert!(matches!(Address::parse(bad), Err(StoreError::Address { .. })), "{bad}");
        }
    }
}
