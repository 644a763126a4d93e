//! Protocol versions and what differs between them.

/// A version of the protocol that both sides speak. 7.0 is not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TdsVersion {
    /// SQL Server 2000
    V7_1,
    /// SQL Server 2005
    V7_2,
    /// SQL Server 2008, first form
    V7_3A,
    /// SQL Server 2008 R2: rows with a null bitmap
    V7_3B,
    /// SQL Server 2012 and later
    V7_4,
}

impl TdsVersion {
    /// The version to speak with a client that asked for `asked` in LOGIN7.
    /// `None` if the client is too old.
    pub fn negotiate(asked: u32) -> Option<Self> {
        match asked {
            0x7400_0000.. => Some(Self::V7_4),
            0x730B_0000.. => Some(Self::V7_3B),
            0x7300_0000.. => Some(Self::V7_3A),
            0x7200_0000.. => Some(Self::V7_2),
            0x7100_0000.. => Some(Self::V7_1),
            _ => None,
        }
    }

    /// The number shown in LOGINACK.
    pub fn number(self) -> u32 {
        match self {
            Self::V7_1 => 0x7100_0001,
            Self::V7_2 => 0x7209_0002,
            Self::V7_3A => 0x730A_0003,
            Self::V7_3B => 0x730B_0003,
            Self::V7_4 => 0x7400_0004,
        }
    }

    /// From 7.2: 64-bit counts, ALL_HEADERS, `max` types, wide line numbers.
    pub fn has_wide_counts(self) -> bool {
        self >= Self::V7_2
    }

    /// From 7.3: `date`, `time`, `datetime2`, `datetimeoffset`.
    pub fn has_new_dates(self) -> bool {
        self >= Self::V7_3A
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_own_version_or_the_newest_known() {
        for version in
            [TdsVersion::V7_1, TdsVersion::V7_2, TdsVersion::V7_3A, TdsVersion::V7_3B, TdsVersion::V7_4]
        {
            assert_eq!(TdsVersion::negotiate(version.number()), Some(version));
        }
        assert_eq!(TdsVersion::negotiate(0x0800_0000), None);
        assert_eq!(TdsVersion::negotiate(0x7000_0000), None);
        assert_eq!(TdsVersion::negotiate(0x8000_0000), Some(TdsVersion::V7_4));
    }
}
