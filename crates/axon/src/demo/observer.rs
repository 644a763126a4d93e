//! A TDS client of the demo's own: it sets the pool up as a DBA would, and reads the catalog with its own queries.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// A connection to the pool.
pub struct Observer(Client<Compat<TcpStream>>);

const HELD: &str = "
SELECT r.name AS holder, p.state_desc AS state, p.permission_name AS permission,
       CASE WHEN p.class = 3 THEN 'schema ' + s.name WHEN p.class = 1 THEN os.name + '.' + o.name ELSE 'database' END AS securable,
       c.name AS column_name
FROM sys.database_permissions AS p
JOIN sys.database_principals AS r ON r.principal_id = p.grantee_principal_id
LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id
LEFT JOIN sys.objects AS o ON p.class = 1 AND o.object_id = p.major_id
LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id
LEFT JOIN sys.columns AS c ON p.class = 1 AND p.minor_id > 0 AND c.object_id = p.major_id AND c.column_id = p.minor_id
WHERE r.type = 'R'
ORDER BY r.name, p.permission_name";

const MEMBERS: &str = "
SELECT m.name AS member, r.name AS role
FROM sys.database_role_members AS x
JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
WHERE m.type IN ('E', 'X')
ORDER BY m.name, r.name";

const SHUT_OUT: &str = "
SELECT u.name AS person
FROM sys.database_permissions AS p
JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id
WHERE p.class = 0 AND p.type = 'CO' AND p.state = 'D'
ORDER BY u.name";

/// What a catalog holds, in the three parts of `expected.txt`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Role, and one thing that it holds.
    held: BTreeSet<(String, String)>,
    /// Person, and the roles that the person is in.
    members: BTreeMap<String, BTreeSet<String>>,
    /// People whose CONNECT is denied.
    shut_out: BTreeSet<String>,
}

impl Observer {
    /// Logs in with SQL authentication.
    pub async fn connect(address: &str, user: &str, password: &str) -> anyhow::Result<Self> {
        let (host, port) = address.rsplit_once(':').context("the pool's address has a port")?;
        let mut config = Config::new();
        config.host(host);
        config.port(port.parse()?);
        config.database("dw");
        config.authentication(AuthMethod::sql_server(user, password));
        config.encryption(EncryptionLevel::NotSupported);
        let stream = TcpStream::connect(address).await.context("the pool does not answer")?;
        stream.set_nodelay(true)?;
        Ok(Self(
            Box::pin(Client::connect(config, stream.compat_write()))
                .await
                .context("the pool refuses the observer")?,
        ))
    }

    /// Runs a script whose batches are parted by lines that say GO.
    pub async fn set_up(&mut self, script: &str) -> anyhow::Result<()> {
        for batch in script.split("\nGO\n").map(str::trim).filter(|batch| !batch.is_empty()) {
            self.0
                .simple_query(batch)
                .await
                .with_context(|| format!("the pool refuses: {batch}"))?
                .into_results()
                .await
                .with_context(|| format!("the pool refuses: {batch}"))?;
        }
        Ok(())
    }

    async fn rows(&mut self, query: &str) -> anyhow::Result<Vec<Row>> {
        Ok(self.0.simple_query(query).await?.into_first_result().await?)
    }

    /// Reads what the catalog holds.
    pub async fn read(&mut self) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for row in self.rows(HELD).await? {
            let state = if text(&row, "state")? == "DENY" { "DENY " } else { "" };
            let mut what = format!("{state}{} on {}", text(&row, "permission")?, text(&row, "securable")?);
            if let Some(column) = row.try_get::<&str, _>("column_name")? {
                what = format!("{what} ({column})");
            }
            found.held.insert((text(&row, "holder")?, what));
        }
        for row in self.rows(MEMBERS).await? {
            found.members.entry(text(&row, "member")?).or_default().insert(text(&row, "role")?);
        }
        for row in self.rows(SHUT_OUT).await? {
            found.shut_out.insert(text(&row, "person")?);
        }
        Ok(found)
    }
}

fn text(row: &Row, column: &str) -> anyhow::Result<String> {
    Ok(row.try_get::<&str, _>(column)?.with_context(|| format!("{column} is NULL"))?.trim_end().to_owned())
}

impl Found {
    /// Reads the hand-written table.
    pub fn parse(written: &str) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let mut part = 0;
        for line in written.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('[') {
                part += 1;
                continue;
            }
            let (first, rest) =
                line.split_once(char::is_whitespace).map_or((line, ""), |(a, b)| (a, b.trim()));
            match part {
                1 => {
                    found.held.insert((first.to_owned(), rest.to_owned()));
                }
                2 => {
                    let roles = rest.split(',').map(|role| role.trim().to_owned()).collect();
                    found.members.insert(first.to_owned(), roles);
                }
                3 => {
                    found.shut_out.insert(first.to_owned());
                }
                _ => anyhow::bail!("a line before the first part: {line}"),
            }
        }
        Ok(found)
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.held.len() + self.members.len() + self.shut_out.len()
    }

    /// What one has and the other has not, a line each.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let (ours, wanted) = (self.flat(), expected.flat());
        let missing = wanted.difference(&ours).map(|line| format!("missing:    {line}"));
        let surplus = ours.difference(&wanted).map(|line| format!("unexpected: {line}"));
        missing.chain(surplus).collect()
    }

    fn flat(&self) -> BTreeSet<String> {
        let held = self.held.iter().map(|(role, what)| format!("{role} holds {what}"));
        let members = self.members.iter().map(|(person, roles)| {
            let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
            format!("{person} is in {}", roles.join(", "))
        });
        let shut_out = self.shut_out.iter().map(|person| format!("{person} may not enter"));
        held.chain(members).chain(shut_out).collect()
    }

    /// People x roles x grants, for people.
    pub fn table(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let _ = writeln!(out, "  {:<31} {:<21} may", "person", "role");
        for (person, roles) in &self.members {
            let mut name = person.as_str();
            for role in roles {
                let grants: Vec<&str> = self
                    .held
                    .iter()
                    .filter(|(holder, _)| holder == role)
                    .map(|(_, what)| what.as_str())
                    .collect();
                let grants =
                    if grants.is_empty() { "(a resource class)".to_owned() } else { grants.join("; ") };
                let _ = writeln!(out, "  {name:<31} {role:<21} {grants}");
                name = "";
            }
        }
        for person in &self.shut_out {
            let _ = writeln!(out, "  {person:<31} {:<21} may not enter any more", "-");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hand_written_table_is_whole_and_differences_are_named() {
        let expected = Found::parse(include_str!("expected.txt")).unwrap();
        assert_eq!((expected.held.len(), expected.members.len(), expected.shut_out.len()), (22, 22, 7));
        let mut found = Found::parse(include_str!("expected.txt")).unwrap();
        assert!(found.differences(&expected).is_empty());
        found.shut_out.remove("ben.carter@acme.example");
        assert_eq!(found.differences(&expected), ["missing:    ben.carter@acme.example may not enter"]);
    }
}
