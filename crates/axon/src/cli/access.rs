//! `axon offboard` and `axon grant`

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::person::Proof;

/// Who is shut out, and until when.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct OffboardArgs {
    /// The person's userName
    #[arg(required_unless_present = "list", conflicts_with = "list")]
    pub user: Option<String>,
    /// Only in this source; in all of them, if left out
    #[arg(long)]
    pub source: Option<String>,
    /// Why, for the journal
    #[arg(long, required_unless_present = "list")]
    pub reason: Option<String>,
    /// End it: the person has again what the map gives
    #[arg(long, conflicts_with = "list")]
    pub release: bool,
    /// Also where no source knows the name yet: it counts for whoever comes under it
    #[arg(long, conflicts_with_all = ["release", "list"])]
    pub unknown: bool,
    /// List who is offboarded
    #[arg(long)]
    pub list: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

/// A role for a while.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GrantArgs {
    /// What to do with those that were asked for
    #[command(subcommand)]
    pub command: Option<GrantCommand>,
    /// The person's userName
    #[arg(required = true)]
    pub user: Option<String>,
    /// The role of the map
    #[arg(required = true)]
    pub role: Option<String>,
    /// For how long, as 30m, 2h or 1d, counted from when it comes into force
    #[arg(long = "for", value_name = "TIME", value_parser = time, required = true)]
    pub length: Option<Duration>,
    /// Why, for the journal
    #[arg(long, required = true)]
    pub reason: Option<String>,
    /// Only in this target
    #[arg(long)]
    pub target: Option<String>,
    /// The person's source, where several know the name
    #[arg(long)]
    pub source: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Who asks
    #[command(flatten)]
    pub proof: Proof,
}

/// Roles for a while that were asked for.
#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// List those that wait or count
    List {
        /// Also those that ended
        #[arg(long)]
        all: bool,
        /// Exit with 3 while any waits or counts
        #[arg(long)]
        check: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let one come into force, as somebody else than whoever asked
    Release(GrantAnswer),
    /// Say no to one that waits
    Reject(GrantAnswer),
    /// End one before its time
    Revoke(GrantAnswer),
}

/// An answer to a role for a while.
#[derive(Debug, Args)]
pub struct GrantAnswer {
    /// The request's id or its hold's, or eight or more characters of its begin or end
    pub id: String,
    /// Why, for the journal
    #[arg(long)]
    pub reason: String,
    /// Who says so
    #[command(flatten)]
    pub proof: Proof,
}

/// Reading secure views as another person.
#[derive(Debug, Subcommand)]
pub enum ImpersonateCommand {
    /// Let somebody read as another person, as the role map allows
    Start {
        /// The userName of the person to read as
        #[arg(long = "as", value_name = "USER")]
        person: String,
        /// The userName of whoever reads; whoever runs this, if left out
        #[arg(long)]
        user: Option<String>,
        /// For how long, as 30m or 1h, counted from when it comes into force
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        length: Duration,
        /// Why, for the journal
        #[arg(long)]
        reason: Option<String>,
        /// In which target, where people act as others in several
        #[arg(long)]
        target: Option<String>,
        /// In which session of the pool, as SELECT SESSION_ID() says there: only where a pool has no SESSION_CONTEXT()
        #[arg(long, value_name = "SID")]
        session: Option<String>,
        /// The source of both, where several know the names
        #[arg(long)]
        source: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Who asks
        #[command(flatten)]
        proof: Proof,
    },
    /// List who reads as whom, and who waits for it
    List {
        /// Also those that ended or were refused
        #[arg(long)]
        all: bool,
        /// Only those about this person, on either side
        #[arg(long)]
        user: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let one come into force, as somebody else than whoever asked
    Release(GrantAnswer),
    /// Say no to one that waits
    Reject(GrantAnswer),
    /// End one before its time
    Stop(GrantAnswer),
}

/// Reads a length of time: a number and one of s, m, h, d.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time: write it like 30m, 2h or 1d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn a_length_of_time_has_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "2", "h", "0h", "-1h", "1.5h", "2 h", "2w", "99999999999d", "2ħ"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grant_is_asked_for_or_answered() {
        let asked = "axon grant kim@acme.com reader --for 2h --reason incident --target dw";
        let Command::Grant(args) = Cli::try_parse_from(asked.split(' ')).unwrap().command else { panic!() };
        assert_eq!((args.user.as_deref(), args.role.as_deref()), (Some("kim@acme.com"), Some("reader")));
        let answered = "axon grant release 0a0b0c0d --reason seen";
        let Command::Grant(args) = Cli::try_parse_from(answered.split(' ')).unwrap().command else {
            panic!()
        };
        assert!(matches!(args.command, Some(GrantCommand::Release(_))) && args.user.is_none());
        for wrong in [
            "axon grant",
            "axon grant kim@acme.com",
            "axon grant kim@acme.com reader --reason x",
            "axon grant kim@acme.com reader --for 2h",
            "axon grant release 0a0b0c0d",
            "axon offboard --reason x",
            "axon offboard kim@acme.com",
            "axon offboard kim@acme.com --list",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }
}
