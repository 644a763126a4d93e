//! The names of all lints, how much each matters, and what to do about it.

use serde::{Serialize, Serializer};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Most likely not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

macro_rules! lints {
    ($($variant:ident $name:literal $severity:ident $remedy:literal;)*) => {
        /// A lint.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each variant is its name, and its remedy says the rest")]
        pub enum Lint {
            $($variant,)*
        }

        impl Lint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in reports and in comments.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How much it matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

lints! {
    UnreachableRole "unreachable-role" Note "give it in a mapping, include it, or take it out";
    EmptyRole "empty-role" Note "give it grants, or take it out of the mapping";
    UnknownGroup "unknown-group" Warning "correct the name, or wait for the source's first push";
    AmbiguousGroup "ambiguous-group" Warning "name the group by its externalId";
    NoGroupsYet "no-groups-yet" Note "wait for the source's first push, or correct its name";
    MatchNothing "match-nothing" Note "correct the pattern, or take the mapping out";
    MatchEverything "match-everything" Warning "narrow the pattern: whoever names a group gives the role";
    CaptureNamesNothing "capture-names-nothing" Note "add the role to `only`, or narrow the pattern";
    VoidGrant "void-grant" Warning "take out the grant or the DENY: the DENY wins";
    CoveredGrant "covered-grant" Note "take it out: a wider line gives it already";
    DefeatedDeny "defeated-deny" Warning "take out the column grant: a pool lets it beat a DENY on the object";
    PowerfulGrant "powerful-grant" Warning "give what is needed instead";
    AdministratorWithoutWhen "administrator-without-when" Warning "say with `when` who may have it, such as userType eq \"Employee\"";
    PastView "past-view" Warning "take the line out: who may read a secure view must not read its table";
    LosesRows "loses-rows" Warning "name a role of the pool under `unfiltered` of the view, or silence this where it is meant";
    WritesView "writes-view" Warning "take the line out: who can change a secure view, or what it reads, sees everything in it";
    PutsOnAnother "puts-on-another" Warning "take the line out: EXECUTE AS shows the views of whom it puts on, and asks for no permission to act";
    RewritesViews "rewrites-views" Warning "take one of the two away, or silence this where nothing but tables is there";
    AroundSql "around-sql" Warning "give a narrower role: this one opens the data without any grant in a pool";
    CredentialAroundSql "credential-around-sql" Warning "take one of the two away, or SQL control from the workspace's identity";
    MisplacedRole "misplaced-role" Warning "put it under a target of the other kind";
    UnknownWorkspaceRole "unknown-workspace-role" Warning "write the role's name as the workspace spells it";
    PastUntil "past-until" Warning "take the line out, or give it another end";
    UnboundedRemovals "unbounded-removals" Warning "guards: { removals: { window: 24h, most: 5%, floor: 20 }, leavers: { window: 24h, most: 5%, floor: 50 } }";
    RefusedName "refused-name" Warning "change the target's `principal`, or the name at its source";
    UnknownRowAttribute "unknown-row-attribute" Warning "correct the path, or declare the schema extension that has it";
    TestOfUnknownGroup "test-of-unknown-group" Warning "correct the name: a test of a group that no mapping knows proves little";
    PersonByPerson "person-by-person" Note "say `via: person` in the mapping, so that everybody sees it";
    NotCarriedOut "not-carried-out" Note "the map is checked and evaluated, and cannot be put in force yet";
    StaleSilence "stale-silence" Note "take the comment out";
}

impl Lint {
    /// The lint of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lint| lint.name() == name)
    }
}

impl Serialize for Lint {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}
