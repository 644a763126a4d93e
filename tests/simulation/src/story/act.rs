//! What happens in the directory, in the map and in the pool.

use super::{Story, map};
use crate::people::{GROUPS, ROLES, power};
use crate::place::{login, token_of};

impl Story {
    /// Something happens in the directory, in the map or in the pool.
    pub async fn act(&mut self) -> String {
        self.acts += 1;
        let people = self.world.people.len();
        let who = self.chance.below(people);
        let somebody = people > 0 && self.world.people[who].scim.is_some();
        let kind = self.chance.below(100);
        let done = match kind {
            _ if people < 3 => return self.hire().await,
            0..10 => return self.hire().await,
            10..20 if somebody => {
                let active = !self.world.people[who].active;
                (format!("person {who} active: {active}"), self.world.set_active(who, active).await)
            }
            20..26 if somebody => (format!("person {who} is deleted"), self.world.delete(who).await),
            26..30 if somebody => {
                let free = self.world.free_names();
                let Some(upn) = self.chance.pick(&free).cloned() else { return "no name is free".to_owned() };
                (format!("person {who} becomes {upn}"), self.world.rename(who, &upn).await)
            }
            30..33 if somebody => {
                let done = self.world.make_anew(who).await;
                (format!("person {who} is made anew in the tenant, as person {people}"), done)
            }
            33..58 if somebody => {
                let group = self.chance.below(GROUPS);
                (format!("person {who} joins or leaves G{group}"), self.world.turn_member(group, who).await)
            }
            58..62 => {
                let group = self.chance.below(GROUPS);
                (format!("G{group} is renamed"), self.world.turn_name(group).await)
            }
            62..69 => {
                let map = map(&mut self.chance);
                self.world.edit(map);
                return format!("another map: {map:?}");
            }
            69..82 => return self.drift(),
            82..87 => {
                let answered = self.world.release(1).await;
                return format!("a hold is answered: {answered}");
            }
            87..92 => return self.depart().await,
            _ => return self.visit(who),
        };
        let (what, came) = done;
        match came {
            Ok(()) => what,
            Err(error) => format!("{what}: {error}"),
        }
    }

    async fn hire(&mut self) -> String {
        let free = self.world.free_names();
        let Some(upn) = self.chance.pick(&free).cloned() else { return "no name is free".to_owned() };
        match self.world.hire(&upn).await {
            Ok(()) => format!("person {} arrives as {upn}", self.world.people.len() - 1),
            Err(error) => format!("{upn} cannot arrive: {error}"),
        }
    }

    fn visit(&mut self, who: usize) -> String {
        let upn = self.world.people[who].upn.clone();
        if !self.world.people[who].is_active() {
            return "nobody visits".to_owned();
        }
        match self.world.pool.login(login(token_of(&upn))) {
            Ok(session) => {
                self.world.people[who].session = Some(session);
                self.world.people[who].entered_as = upn;
                format!("person {who} opens a session")
            }
            Err(error) => format!("person {who} is not let in: {}", error.number),
        }
    }

    /// Somebody who can do something in the pool opens a session and leaves: the session is all that is left to look for once
    /// the principal is shut out.
    async fn depart(&mut self) -> String {
        let here: Vec<usize> = (0..self.world.people.len())
            .filter(|who| self.world.people[*who].is_active() && self.world.is_in(*who))
            .collect();
        let Some(who) = self.chance.pick(&here).copied() else { return "nobody departs".to_owned() };
        let visit = self.visit(who);
        let (word, done) = if self.chance.percent(50) {
            ("is made inactive", self.world.set_active(who, false).await)
        } else {
            ("is deleted", self.world.delete(who).await)
        };
        format!("{visit} and {word}: {}", done.is_ok())
    }

    /// Somebody changes the pool by hand.
    fn drift(&mut self) -> String {
        let role = self.chance.below(ROLES);
        let bit = self.chance.below(9);
        let what = power(bit);
        let upn = format!("p{}@acme.com", self.chance.below(crate::people::NAMES));
        if self.chance.percent(15) {
            // Every other time it is the name of somebody who left.
            let upn = self.world.left_behind().filter(|_| bit.is_multiple_of(2)).unwrap_or(upn);
            if !self.world.impostor(&upn) {
                return "nobody's name is taken".to_owned();
            }
            self.world.note_by_hand();
            let person = self.world.people.len() - 1;
            return format!("by hand: another object under the name {upn}, person {person}");
        }
        let bearer = self.world.bearer(&upn);
        let sql = match self.chance.below(10) {
            0 => format!("GRANT {what} TO axon_r{role}"),
            1 => format!("REVOKE {what} FROM axon_r{role}"),
            2 | 3 => format!("EXEC sp_addrolemember 'axon_r{role}', '{upn}'"),
            4 => format!("EXEC sp_droprolemember 'axon_r{role}', '{upn}'"),
            5 => format!("GRANT {what} TO [{upn}]"),
            6 => format!("DENY {what} TO axon_r{role}"),
            7 => "GRANT SELECT ON hr.people TO reports".to_owned(),
            8 => "EXEC sp_addrolemember 'reports', 'guest9@acme.com'".to_owned(),
            _ => format!("DROP USER [{upn}]"),
        };
        let taken = self.world.hand(&sql);
        if taken {
            self.world.note_by_hand();
            if sql.starts_with("GRANT") && sql.contains("axon_r") {
                self.world.books.drift_grant(role, bit);
            }
            if let Some(who) = bearer {
                if sql.contains("addrolemember 'axon") {
                    self.world.books.drift_member(who, role);
                }
                if sql.starts_with("GRANT") && sql.contains(&upn) {
                    self.world.books.drift_direct(who, bit);
                }
            }
            self.world.books.unmanaged = crate::checks::unmanaged(&self.world.pool.snapshot());
        }
        format!("by hand: {sql}: {taken}")
    }
}
