//! `axon token`

use axon_store::operators::Permissions;
use axon_store::{ClientId, Scopes};
use clap::{Args, Subcommand};

/// Bearer tokens, and secrets of OAuth clients.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, alone, once
    Create {
        /// Whose: a source
        #[arg(long, required_unless_present = "operator")]
        source: Option<String>,
        /// Whose: an operator, by a name of ours
        #[arg(long, conflicts_with_all = ["source", "name", "scope"], requires = "may", value_parser = operator)]
        operator: Option<String>,
        /// What an operator may do, as map.read,map.push: map.read, map.push, map.release, holds.read, holds.release, offboard, grant,
        /// integrations.read, integrations.write
        #[arg(long, requires = "operator", conflicts_with = "source", value_delimiter = None)]
        may: Option<Permissions>,
        /// What people call it
        #[arg(long, visible_alias = "label", default_value = "")]
        name: String,
        /// What it may do and for how long
        #[command(flatten)]
        terms: Terms,
    },
    /// List the tokens, never the secrets
    List {
        /// Only this source's
        #[arg(long)]
        source: Option<String>,
        /// Those of operators
        #[arg(long, conflicts_with_all = ["source", "all"])]
        operators: bool,
        /// Also the short-lived ones of the token endpoint
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new token beside the ones in use, and say which to revoke once the IdP has it
    Rotate {
        /// Whose
        #[arg(long)]
        source: String,
        /// Only the tokens of this name, where the source has several that differ
        #[arg(long)]
        name: Option<String>,
        /// Revoke the others at once: the IdP is refused until it has the new one
        #[arg(long)]
        now: bool,
    },
    /// Revoke a token, or a client's secret with all that was given for it
    Revoke {
        /// Its id, as list shows it
        id: String,
    },
    /// Clients of the token endpoint `/oauth2/token`
    Client {
        /// What to do
        #[command(subcommand)]
        command: ClientCommand,
    },
}

/// Clients of the token endpoint.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Make a client's first secret and print it, alone, once
    Create {
        /// Whose
        #[arg(long)]
        source: String,
        /// The client's name: its `client_id`
        #[arg(long)]
        client: ClientId,
        /// What its tokens may do, and how long the secret is accepted
        #[command(flatten)]
        terms: Terms,
    },
    /// Make a second secret beside the one in use, and say which to revoke once the client has it
    Rotate {
        /// The client's name
        #[arg(long)]
        client: ClientId,
        /// Revoke the others at once, and all tokens that were given for them
        #[arg(long)]
        now: bool,
    },
    /// Revoke all secrets of a client, and all tokens that were given for them
    Revoke {
        /// The client's name
        #[arg(long)]
        client: ClientId,
    },
}

/// What a token may do, and for how long.
#[derive(Debug, Args)]
pub struct Terms {
    /// What it may do: `read` or `write`, and `users-only` beside it
    #[arg(long, default_value = "write", value_delimiter = None)]
    pub scope: Scopes,
    /// After how long it is no longer accepted, as 90d, 12h or 2w; never, if left out
    #[arg(long, value_parser = life)]
    pub expires: Option<time::Duration>,
    /// The same in days
    #[arg(long, conflicts_with = "expires")]
    pub days: Option<u16>,
}

impl Terms {
    /// How long it is accepted.
    pub fn life(&self) -> Option<time::Duration> {
        self.expires.or_else(|| self.days.map(|days| time::Duration::days(days.into())))
    }
}

/// An operator's name: what is shown of whoever did something.
fn operator(text: &str) -> Result<String, String> {
    let text = text.trim();
    let plain = !text.is_empty() && text.chars().count() <= 80 && !text.chars().any(char::is_control);
    if plain { Ok(text.to_owned()) } else { Err("a name is 1 to 80 characters in one line".into()) }
}

/// A span such as `90d`.
fn life(text: &str) -> Result<time::Duration, String> {
    let wrong = || format!("{text:?} is not a time such as 90d, 12h or 2w");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u16 = number.parse().map_err(|_| wrong())?;
    let span = match unit {
        "h" => time::Duration::hours(number.into()),
        "d" => time::Duration::days(number.into()),
        "w" => time::Duration::weeks(number.into()),
        _ => return Err(wrong()),
    };
    if span.is_zero() { Err(format!("{text:?} is over at once")) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_with_its_unit() {
        assert_eq!(life("90d"), Ok(time::Duration::days(90)));
        assert_eq!(life("12h"), Ok(time::Duration::hours(12)));
        assert_eq!(life("2w"), Ok(time::Duration::days(14)));
        for bad in ["", "d", "90", "0d", "-1d", "1.5d", "99999d", "1y", "é"] {
            assert!(life(bad).is_err(), "{bad}");
        }
    }
}
