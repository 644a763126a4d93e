//! The schemas of RFC 7643 as data: User, Group, the enterprise extension and the common attributes,
//! with the errata that change what a client reads.

use std::sync::Arc;

use super::attribute::{Attribute, DataType, Mutability, Returned};
use super::{ResourceKind, ResourceType, Schema};

/// URN of the core User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise extension of User.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn schema(id: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Schema {
    Schema {
        id: Arc::from(id),
        name: name.to_owned(),
        description: description.to_owned(),
        attributes: attributes.into_iter().map(Arc::new).collect(),
    }
}

fn boolean(name: &str, description: &str) -> Attribute {
    Attribute::new(name, DataType::Boolean, description)
}

fn reference(name: &str, description: &str, kinds: &[&str]) -> Attribute {
    Attribute::new(name, DataType::Reference, description).refers_to(kinds)
}

/// The usual parts of a list: value, display, type, primary (RFC 7643 section 2.4).
fn list(name: &str, description: &str, value: Attribute, types: &[&str]) -> Attribute {
    Attribute::complex(
        name,
        description,
        [
            value,
            Attribute::string("display", "A name for people."),
            Attribute::string("type", "What the value is for.").canonical(types),
            boolean("primary", "Is it the preferred value? True at most once."),
        ],
    )
    .multi()
}

/// `schemas`, `id`, `externalId` and `meta`: part of every resource, of no schema (RFC 7643 section 3.1).
pub(super) fn common_attributes() -> Vec<Arc<Attribute>> {
    let read_only = |a: Attribute| a.mutability(Mutability::ReadOnly);
    [
        read_only(reference("schemas", "The schemas of the resource.", &["uri"]))
            .multi()
            .required()
            .returned(Returned::Always),
        read_only(Attribute::string("id", "The identifier given by this server."))
            .exact()
            .unique()
            .returned(Returned::Always),
        Attribute::string("externalId", "The identifier given by the client.").exact(),
        read_only(Attribute::complex(
            "meta",
            "What the server says about the resource.",
            [
                read_only(Attribute::string("resourceType", "User or Group.").exact()),
                read_only(Attribute::new("created", DataType::DateTime, "When it was made.")),
                read_only(Attribute::new("lastModified", DataType::DateTime, "When it last changed.")),
                read_only(reference("location", "Its address.", &["uri"])),
                read_only(Attribute::string("version", "Its entity tag.").exact()),
            ],
        )),
    ]
    .into_iter()
    .map(Arc::new)
    .collect()
}

fn name() -> Attribute {
    Attribute::complex(
        "name",
        "The parts of the person's name.",
        [
            Attribute::string("formatted", "The whole name, for display."),
            Attribute::string("familyName", "The family name."),
            Attribute::string("givenName", "The given name."),
            Attribute::string("middleName", "The middle names."),
            Attribute::string("honorificPrefix", "Titles before the name."),
            Attribute::string("honorificSuffix", "Suffixes after the name."),
        ],
    )
}

fn addresses() -> Attribute {
    Attribute::complex(
        "addresses",
        "Postal addresses.",
        [
            Attribute::string("formatted", "The whole address, for display."),
            Attribute::string("streetAddress", "Street and number."),
            Attribute::string("locality", "City."),
            Attribute::string("region", "State or region."),
            Attribute::string("postalCode", "Postal code."),
            Attribute::string("country", "Country."),
            Attribute::string("type", "What the address is for.").canonical(&["work", "home", "other"]),
            boolean("primary", "Is it the preferred address? True at most once."),
        ],
    )
    .multi()
}

fn groups() -> Attribute {
    let read_only = |a: Attribute| a.mutability(Mutability::ReadOnly);
    read_only(
        Attribute::complex(
            "groups",
            "The groups that the person is in; changed through the groups.",
            [
                read_only(Attribute::string("value", "The id of the group.").exact()),
                // Erratum 8471: a group of a user is a Group.
                read_only(reference("$ref", "The address of the group.", &["Group"])),
                read_only(Attribute::string("display", "The name of the group.")),
                read_only(
                    Attribute::string("type", "Direct, or through another group.")
                        .canonical(&["direct", "indirect"]),
                ),
            ],
        )
        .multi(),
    )
}

pub(super) fn user() -> Schema {
    let text = Attribute::string;
    let value = |description: &str| Attribute::string("value", description);
    let binary = Attribute::new("value", DataType::Binary, "A DER certificate in base64.");
    schema(
        USER_URN,
        "User",
        "A person.",
        vec![
            text("userName", "The name with which the person signs in.").required().unique(),
            name(),
            text("displayName", "The name for display."),
            text("nickName", "How the person is called."),
            reference("profileUrl", "A page about the person.", &["external"]),
            text("title", "Job title."),
            text("userType", "The relation to the organisation."),
            text("preferredLanguage", "Preferred language."),
            text("locale", "Locale for dates and numbers."),
            text("timezone", "Time zone."),
            boolean("active", "May the person sign in?"),
            text("password", "Never stored and never returned.")
                .exact()
                .mutability(Mutability::WriteOnly)
                .returned(Returned::Never),
            list("emails", "E-mail addresses.", value("An e-mail address."), &["work", "home", "other"]),
            list(
                "phoneNumbers",
                "Telephone numbers.",
                value("A telephone number."),
                &["work", "home", "mobile", "fax", "pager", "other"],
            ),
            list(
                "ims",
                "Instant messaging addresses.",
                value("An address."),
                &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
            ),
            list(
                "photos",
                "Pictures of the person.",
                reference("value", "The address of a picture.", &["external"]),
                &["photo", "thumbnail"],
            ),
            addresses(),
            groups(),
            list("entitlements", "What the person is entitled to.", value("An entitlement."), &[]),
            list("roles", "The person's roles.", value("A role."), &[]),
            list("x509Certificates", "Certificates of the person.", binary, &[]),
        ],
    )
}

pub(super) fn group() -> Schema {
    let fixed = |a: Attribute| a.mutability(Mutability::Immutable);
    schema(
        GROUP_URN,
        "Group",
        "A group of people and groups.",
        vec![
            // Erratum 5368: required.
            Attribute::string("displayName", "The name of the group.").required(),
            Attribute::complex(
                "members",
                "The members of the group.",
                [
                    fixed(Attribute::string("value", "The id of the member.").exact()),
                    fixed(reference("$ref", "The address of the member.", &["User", "Group"])),
                    fixed(Attribute::string("type", "User or Group.").canonical(&["User", "Group"])),
                    // Erratum 6011. It follows the member's own name, so a client that compares what it sent with what it
                    // reads would find something that it never sent: shown to those who ask for it.
                    Attribute::string("display", "The name of the member.")
                        .mutability(Mutability::ReadOnly)
                        .returned(Returned::Request),
                ],
            )
            .multi(),
        ],
    )
}

pub(super) fn enterprise() -> Schema {
    let text = Attribute::string;
    schema(
        ENTERPRISE_URN,
        "EnterpriseUser",
        "What an enterprise knows about a person.",
        vec![
            text("employeeNumber", "The number of the employee."),
            text("costCenter", "Cost centre."),
            text("organization", "Organisation."),
            text("division", "Division."),
            text("department", "Department."),
            Attribute::complex(
                "manager",
                "The person's manager.",
                [
                    // Erratum 8472: exact.
                    text("value", "The id of the manager.").exact(),
                    reference("$ref", "The address of the manager.", &["User"]),
                    text("displayName", "The name of the manager.").mutability(Mutability::ReadOnly),
                ],
            ),
        ],
    )
}

pub(super) fn resource_types() -> Vec<ResourceType> {
    vec![
        ResourceType {
            kind: ResourceKind::User,
            description: "A person.".to_owned(),
            schema: Arc::new(user()),
            extensions: vec![(Arc::new(enterprise()), false)],
        },
        ResourceType {
            kind: ResourceKind::Group,
            description: "A group of people and groups.".to_owned(),
            schema: Arc::new(group()),
            extensions: Vec::new(),
        },
    ]
}
