//! The codes of Entra's token endpoint that are worth a sentence, each with its remedy. Source: reference, section 8.4.

/// Reads the first code: `error_codes` says it, else the text does (`AADSTS700016: …`).
pub(super) fn code_of(codes: &[i64], description: &str) -> Option<u32> {
    let listed = codes.first().and_then(|code| u32::try_from(*code).ok());
    listed.or_else(|| {
        let after = description.split_once("AADSTS")?.1;
        let digits = after.find(|c: char| !c.is_ascii_digit()).map_or(after, |end| &after[..end]);
        digits.parse().ok()
    })
}

/// What it means and what helps. None: a code that the table does not hold.
pub(super) fn meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        700_016 => {
            "the tenant has no application with this client id: check tenant_id and client_id, or let an administrator of \
             that tenant consent to the application"
        }
        7_000_215 => {
            "the secret is wrong: give the secret's value, not its id, and check that it belongs to this application"
        }
        7_000_222 => "the secret has expired: make a new one, or use a managed identity, which has none",
        700_027 => {
            "the assertion's signature does not fit: register the very certificate whose key signs, and check that certificate \
             and key are a pair"
        }
        700_024 => {
            "the assertion is not in its time: set this machine's clock right, or have the token file renewed more often"
        }
        700_211 => {
            "no federated credential of the application has the assertion's issuer: compare `issuer` letter for letter, also its \
             last slash"
        }
        700_212 => {
            "the assertion's audience is not that of the federated credential: have the token made for \
             api://AzureADTokenExchange"
        }
        700_213 | 70_021 => {
            "no federated credential of the application has the assertion's subject: register one with exactly this subject"
        }
        7_002_138 => {
            "the federated credential's subject differs only by letter case: correct it, since Entra compares case"
        }
        500_011 => {
            "the tenant does not know the resource: for Synapse its service principal is made when the tenant first uses Synapse, \
             so make a workspace or register the Microsoft.Synapse resource provider"
        }
        90_002 => "there is no such tenant: check tenant_id and, for a sovereign cloud, the authority",
        50_034 => "there is no such user in the tenant: check whose identity this is, and the tenant",
        _ => return None,
    })
}

/// Whether only time helps: the credential is new and not everywhere yet, or Entra is busy.
pub(super) fn passes(code: u32) -> bool {
    // 50196: asked in a loop; 90033, 90055: overloaded.
    matches!(code, 50_196 | 90_033 | 90_055)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_reference_has_a_sentence_of_its_own() {
        let codes = [
            700_016, 7_000_215, 7_000_222, 700_027, 700_024, 700_211, 700_212, 700_213, 7_002_138, 70_021,
            500_011, 90_002, 50_034,
        ];
        for code in codes {
            let text = meaning(code).unwrap_or_else(|| panic!("{code}"));
            assert!(text.contains(": "), "{code} has no remedy: {text}");
        }
        assert_eq!(meaning(1), None);
    }

    #[test]
    fn the_code_is_found_in_the_list_or_in_the_text() {
        assert_eq!(code_of(&[7_000_222], ""), Some(7_000_222));
        assert_eq!(code_of(&[], "AADSTS700016: Application with identifier"), Some(700_016));
        assert_eq!(code_of(&[-1], "AADSTS90002"), Some(90_002));
        assert_eq!(code_of(&[], "nothing of the kind"), None);
        assert_eq!(code_of(&[], "AADSTS99999999999999"), None);
    }
}
