//! Federated identity credentials of an application, and whether a job's token is one that they take. Source: reference, section 8.4.

use axon_model::name::shown;
use serde::Deserialize;

use super::Entra;
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};
use crate::wire::Call;

/// The audience that credentials name unless somebody said otherwise.
const USUAL_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The most credentials that are read: an application has twenty at most.
const MOST: usize = 100;

/// One credential.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Credential {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `iss` of the tokens that it takes.
    #[serde(default)]
    pub issuer: String,
    /// `sub` of the tokens that it takes; none where an expression says it.
    #[serde(default)]
    pub subject: Option<String>,
    /// `aud` of the tokens that it takes.
    #[serde(default)]
    pub audiences: Vec<String>,
}

/// What a job presents, or is said to present.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presented {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// What an application has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Federation {
    /// It is no application of this tenant: a managed identity, whose credentials Resource Manager keeps ([`Entra::managed`] says which
    /// it is), or another tenant's.
    Elsewhere,
    /// These credentials.
    Of(Vec<Credential>),
}

impl Federation {
    /// Why Entra would not take such a token for this application; none where it would, or where that is not known.
    pub fn mismatch(&self, presented: &Presented) -> Option<String> {
        let Self::Of(credentials) = self else { return None };
        let Presented { issuer, subject } = presented;
        let of_issuer: Vec<&Credential> = credentials.iter().filter(|one| one.issuer == *issuer).collect();
        if of_issuer.iter().any(|one| one.subject.as_ref().is_none_or(|own| own == subject)) {
            return None;
        }
        let job = format!("a job presents issuer {} and subject {}", shown(issuer), shown(subject));
        let own = |one: &Credential| shown(one.subject.as_deref().unwrap_or_default());
        let same_but_case = of_issuer
            .iter()
            .find(|one| one.subject.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(subject)));
        if let Some(one) = same_but_case {
            return Some(format!(
                "{job}; credential {} has it in other letter case, {}: Entra compares letter by letter (AADSTS7002138)",
                shown(&one.name),
                own(one)
            ));
        }
        let slash = |text: &str| text.trim_end_matches('/').to_ascii_lowercase();
        let near_issuer = credentials
            .iter()
            .find(|one| one.subject.as_ref() == Some(subject) && slash(&one.issuer) == slash(issuer));
        if let Some(one) = near_issuer {
            return Some(format!(
                "{job}; credential {} has the issuer spelled {}: it must be the same to the last slash (AADSTS700211)",
                shown(&one.name),
                shown(&one.issuer)
            ));
        }
        if let Some(one) =
            of_issuer.iter().max_by_key(|one| alike(one.subject.as_deref().unwrap_or(""), subject))
        {
            return Some(format!(
                "{job}; no credential has that subject (AADSTS700213), the nearest is {} with {}",
                shown(&one.name),
                own(one)
            ));
        }
        Some(if credentials.is_empty() {
            format!("{job}; the application has no federated credential")
        } else {
            let issuers: std::collections::BTreeSet<String> =
                credentials.iter().map(|one| shown(&one.issuer)).collect();
            let issuers: Vec<String> = issuers.into_iter().take(5).collect();
            format!("{job}; no credential has that issuer (AADSTS700211), they have {}", issuers.join(", "))
        })
    }

    /// Credentials whose audience is not the usual one: a job has to ask its system for a token with just that.
    pub fn unusual(&self) -> Vec<String> {
        let Self::Of(credentials) = self else { return Vec::new() };
        let odd =
            credentials.iter().filter(|one| one.audiences.iter().all(|audience| audience != USUAL_AUDIENCE));
        odd.map(|one| {
            let audiences: Vec<String> = one.audiences.iter().take(3).map(|audience| shown(audience)).collect();
            format!(
                "credential {} takes the audience {} and not {USUAL_AUDIENCE} (AADSTS700212 where the job asks for another one)",
                shown(&one.name),
                audiences.join(", ")
            )
        })
        .collect()
    }
}

/// How many letters two subjects have alike from their begin.
fn alike(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

impl Entra {
    /// The resource that a managed identity is, by its client id; none of an application, or of the identity of one machine alone.
    pub async fn managed(&self, client: Guid) -> Result<Option<String>, String> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "alternativeNames", default)]
            names: Vec<String>,
        }
        let path = format!(
            "/v1.0/servicePrincipals(appId='{client}')?$select=id,servicePrincipalType,alternativeNames"
        );
        match self.service.call(Call::get(self.service.base.at(&path))).await {
            Ok(answer) => {
                let Named { names } = answer.json()?;
                Ok(names.into_iter().find(|name| crate::arm::is_resource(name)))
            }
            Err(fault) if fault.kind() == Some(Kind::Missing) => Ok(None),
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// The credentials of the application with this client id.
    pub async fn federation(&self, client: Guid) -> Result<Federation, String> {
        #[derive(Deserialize)]
        struct Page {
            value: Vec<Credential>,
            #[serde(rename = "@odata.nextLink")]
            next: Option<String>,
        }
        let path = format!("/v1.0/applications(appId='{client}')/federatedIdentityCredentials");
        let told = |fault: ServiceFault| fault.to_string();
        let mut call = Call::get(self.service.base.at(&path));
        let mut found = Vec::new();
        loop {
            let page: Page = match self.service.call(call).await {
                Ok(answer) => answer.json()?,
                Err(fault) if fault.kind() == Some(Kind::Missing) => return Ok(Federation::Elsewhere),
                Err(fault) => return Err(told(fault)),
            };
            found.extend(page.value);
            if found.len() > MOST {
                return Err(format!(
                    "the application has more than {MOST} credentials: they are not compared"
                ));
            }
            let Some(next) = page.next else { return Ok(Federation::Of(found)) };
            call = self.service.link(&next).map_err(told)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    fn credential(name: &str, issuer: &str, subject: &str) -> Credential {
        Credential {
            name: name.into(),
            issuer: issuer.into(),
            subject: Some(subject.into()),
            audiences: vec![USUAL_AUDIENCE.into()],
        }
    }

    #[test]
    fn each_mismatch_is_named() {
        let federation = Federation::Of(vec![
            credential("main", GITHUB, "repo:acme/warehouse:ref:refs/heads/main"),
            credential("pool", "https://oidc.circleci.com/org/O", "org/O/project/P/user/U"),
        ]);
        let told = |issuer: &str, subject: &str| {
            federation.mismatch(&Presented { issuer: issuer.into(), subject: subject.into() })
        };
        assert_eq!(told(GITHUB, "repo:acme/warehouse:ref:refs/heads/main"), None);
        let all = [
            told(GITHUB, "repo:Acme/warehouse:ref:refs/heads/main"),
            told(GITHUB, "repo:acme/warehouse:environment:production"),
            told("https://oidc.circleci.com/org/O/", "org/O/project/P/user/U"),
            told("https://gitlab.com", "project_path:acme/warehouse"),
            Federation::Of(Vec::new()).mismatch(&Presented { issuer: GITHUB.into(), subject: "s".into() }),
        ];
        insta::assert_snapshot!(all.into_iter().map(Option::unwrap).collect::<Vec<_>>().join("\n"));
        assert_eq!(
            Federation::Elsewhere.mismatch(&Presented { issuer: GITHUB.into(), subject: "s".into() }),
            None
        );
    }

    #[test]
    fn an_expression_is_not_judged_and_an_unusual_audience_is_told() {
        let flexible = Credential { subject: None, ..credential("any", GITHUB, "") };
        let presented = Presented { issuer: GITHUB.into(), subject: "repo:a/b".into() };
        assert_eq!(Federation::Of(vec![flexible]).mismatch(&presented), None);
        let odd =
            Credential { audiences: vec!["https://axon.acme.com".into()], ..credential("odd", GITHUB, "s") };
        let told = Federation::Of(vec![odd, credential("main", GITHUB, "s")]).unusual();
        assert!(told.len() == 1 && told[0].contains("AADSTS700212"), "{told:?}");
    }

    #[tokio::test]
    async fn which_resource_a_managed_identity_is_its_service_principal_says() {
        use crate::testing::{Reply, Server, Static, clock};
        let resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/loader";
        let names = |names: &str| Reply::ok(&format!(r#"{{"id":"x","alternativeNames":[{names}]}}"#));
        for (reply, found) in [
            (names(&format!(r#""isExplicit=True","{resource}""#)), Some(resource.to_owned())),
            (names(r#""isExplicit=False","/subscriptions/s/x/virtualMachines/vm""#), None),
            (Reply::ok(r#"{"id":"x"}"#), None),
            (Reply::status(404, r#"{"error":{"code":"Request_ResourceNotFound"}}"#), None),
        ] {
            let server = Server::start(move |_| reply.clone()).await;
            let clock = clock(time::macros::datetime!(2026-11-22 10:00 UTC));
            let entra = Entra::new(server.base(), crate::wire::Wire::new().unwrap(), Static::bearer(), clock);
            let client: Guid = "dddddddd-0000-0000-0000-000000000001".parse().unwrap();
            assert_eq!(entra.managed(client).await, Ok(found));
            let asked = &server.seen()[0];
            assert_eq!(
                asked.target,
                format!(
                    "/v1.0/servicePrincipals(appId='{client}')?$select=id,servicePrincipalType,alternativeNames"
                )
            );
        }
    }
}
