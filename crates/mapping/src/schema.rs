//! The JSON Schema of the language, generated from the readers' own lists of keys, so that editors complete and check.

use serde_json::{Map, Value, json};

use crate::target::TargetKind;
use crate::{guards, map, map_test, role, rule, rules, secure_view, target};

/// The schema, as `config/role-map.schema.json` holds it.
pub fn json_schema() -> Value {
    let sections: Vec<(&str, Value)> = map::KEYS.iter().map(|key| (*key, section(key))).collect();
    let mut schema = object(&sections, &[]);
    let map = schema.as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut out = Map::new();
    out.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("title".into(), json!("Axon role map"));
    out.insert(
        "description".into(),
        json!("Which groups give which roles, and what each role may do. See docs/ROLE-MAP.md."),
    );
    out.extend(map);
    out.insert("$defs".into(), definitions());
    Value::Object(out)
}

/// An object of these keys and no others; each key's schema says what it is.
fn object(properties: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(key, schema)| ((*key).to_owned(), schema.clone())).collect();
    let mut out = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

/// An object whose keys the author chooses.
fn named(of: &Value, description: &str) -> Value {
    json!({ "type": ["object", "null"], "additionalProperties": of, "description": description })
}

fn list(of: &Value, description: &str) -> Value {
    json!({ "type": "array", "items": of, "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn word(words: &[&str], description: &str) -> Value {
    json!({ "enum": words, "description": description })
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The properties of these keys, each described by `describe`.
fn keys<'k>(keys: &[&'k str], describe: impl Fn(&str) -> Value) -> Vec<(&'k str, Value)> {
    keys.iter().map(|key| (*key, describe(key))).collect()
}

fn section(key: &str) -> Value {
    match key {
        "axon" => json!({ "const": 1, "description": "The version of this language." }),
        "vars" => named(
            &json!({ "type": ["string", "number", "boolean"] }),
            "Values that ${name} stands for in any text.",
        ),
        "targets" => named(&reference("target"), "Where access is enforced."),
        "target-sets" => named(
            &list(&text("A target's name."), "Targets."),
            "Sets of targets: a set may stand wherever a target does.",
        ),
        "roles" => named(&reference("role"), "Named bundles of grants."),
        "mappings" => list(&reference("mapping"), "Which groups, under which condition, give which roles."),
        "services" => named(&reference("service"), "Service identities: not people, not in SCIM."),
        "rules" => object(&keys(rules::KEYS, rule_key), &[]),
        "guards" => object(&keys(guards::KEYS, guard), &[]),
        "views" => named(&reference("view"), "Secure views."),
        "tags" => named(
            &list(&text("column, or schema.table.column; `*` for any run of characters."), "Columns."),
            "Names for columns, for views to mask or hide.",
        ),
        "tests" => list(
            &reference("test"),
            "What certain people must have and must lack; a failing one refuses the map.",
        ),
        _ => json!({}),
    }
}

fn rule_key(key: &str) -> Value {
    match key {
        "separate" => list(
            &json!({ "type": "array", "minItems": 2, "items": text("A role.") }),
            "Roles that nobody may hold together; a breach withholds all of them.",
        ),
        _ => list(&text("A line as under grants."), "What no role may amount to, by effect."),
    }
}

fn guard(key: &str) -> Value {
    match key {
        "removals" | "leavers" => {
            let budget = keys(guards::BUDGET_KEYS, |key| match key {
                "window" => reference("duration"),
                "most" => {
                    json!({ "type": "string", "pattern": "^[0-9]{1,3} ?%$", "description": "The largest share." })
                }
                _ => json!({ "type": "integer", "minimum": 0, "description": "So many always go." }),
            });
            object(&budget, &["window", "most"])
        }
        "break_glass" => {
            let entry = keys(guards::break_glass::KEYS, |key| match key {
                "longest" => reference("duration"),
                "second_person" => flag("Whether somebody else has to release it; true if left out."),
                _ => list(
                    &text("A role."),
                    "Roles that may be given for a while although they are an administrator's or protected.",
                ),
            });
            object(&entry, &[])
        }
        "protect" => {
            let entry = keys(guards::PROTECT_KEYS, |key| match key {
                "until" => reference("instant"),
                "owner" => text("Who answers for the exception."),
                _ => text("Whose access is never taken."),
            });
            list(&object(&entry, guards::PROTECT_KEYS), "Principals from whom nothing is taken.")
        }
        "tombstones" => json!({
            "type": "string",
            "pattern": "^([0-9]+[smhd]|never)$",
            "description": "For how long whoever left stays in the targets, shut out, before the user is dropped; 30d if left out."
        }),
        _ => {
            let kinds: Vec<&str> = axon_reconcile::StepKind::ALL.iter().map(|k| k.name()).collect();
            let steps = keys(guards::STEPS_KEYS, |key| match key {
                "hold" => list(&word(&kinds, "A kind of step."), "Kinds of step that wait for a person."),
                _ => flag("Whether two different persons have to release a withheld step."),
            });
            object(&steps, &[])
        }
    }
}

fn definitions() -> Value {
    let mut out = Map::new();
    out.insert(
        "duration".into(),
        json!({ "type": "string", "pattern": "^[0-9]+[smhd]$", "description": "Like 30m, 24h, 7d." }),
    );
    out.insert("instant".into(), json!({
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        "description": "Like 2027-06-30T00:00:00Z."
    }));
    out.insert("secret".into(), json!({
        "type": "string", "pattern": "^\\$\\{(env|file):.+\\}$", "description": "${env:NAME} or ${file:PATH}."
    }));
    out.insert(
        "group".into(),
        json!({ "oneOf": [
        { "type": "string", "minLength": 1, "description": "By displayName." },
        object(&[("externalId", text("By externalId."))], &["externalId"])
    ] }),
    );
    out.insert(
        "grants".into(),
        named(
            &list(&reference("grant"), "Lines: T-SQL without the grantee, or names of roles."),
            "What is given, by target or set of targets.",
        ),
    );
    out.insert(
        "grant".into(),
        json!({ "oneOf": [
        { "type": "string", "minLength": 1 },
        object(&[("per person", text("member of ROLE"))], &["per person"])
    ] }),
    );
    out.insert("auth".into(), auth());
    out.insert("target".into(), target());
    out.insert("role".into(), object(&keys(role::KEYS, role_key), &[]));
    out.insert("mapping".into(), object(&keys(rule::KEYS, mapping_key), &["roles"]));
    out.insert(
        "service".into(),
        object(
            &keys(map::SERVICE_KEYS, |key| match key {
                "principal" => text("Its name in the targets."),
                "token" => reference("service-token"),
                "client_id" => text("Its client id, pinned: a GUID. A pool knows it by that."),
                _ => text("The object id of its service principal: a GUID. Role assignments take that."),
            }),
            &["principal"],
        ),
    );
    let one_or_many = |what: &str| {
        json!({ "description": what, "oneOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } }
    ] })
    };
    out.insert(
        "service-token".into(),
        object(
            &keys(crate::service::TOKEN_KEYS, |key| match key {
                "issuer" => text("`iss` of the job's token; the configuration says whether it is trusted."),
                "audience" => one_or_many("One of these must be in `aud`."),
                "subject" => one_or_many("`sub`: one of these."),
                _ => named(
                    &one_or_many("One of these."),
                    "What other claims must say, the project among them.",
                ),
            }),
            &["issuer", "audience"],
        ),
    );
    out.insert("view".into(), object(&keys(secure_view::KEYS, view_key), &["targets", "from", "columns"]));
    out.insert("test".into(), object(&keys(map_test::KEYS, test_key), &[]));
    Value::Object(out)
}

fn auth() -> Value {
    let application = |last: &str, of: Value| {
        object(
            &[("tenant_id", text("The tenant.")), ("client_id", text("The application.")), (last, of)],
            &["tenant_id", "client_id", last],
        )
    };
    let one = |key: &str, of: Value| object(&[(key, of)], &[key]);
    json!({ "description": "How Axon gets in.", "oneOf": [
        { "const": "managed-identity" },
        one("managed-identity", object(&[("client_id", text("Which identity."))], &["client_id"])),
        one("workload-identity", application("token_file", text("The file with the token to exchange."))),
        one("client-secret", application("secret", reference("secret"))),
        one("client-certificate", application("certificate", reference("secret"))),
        one("token-file", text("A file that holds an access token.")),
        one("token-command", list(&text("The program, then its arguments."), "A program that prints an access token.")),
        one("sql", object(&[("user", text("The login.")), ("password", reference("secret"))], &["user", "password"])),
    ] })
}

fn target() -> Value {
    let of = |kind: TargetKind, known: &[&str], required: &[&str]| {
        let properties =
            keys(known, |key| if key == "kind" { json!({ "const": kind.name() }) } else { target_key(key) });
        object(&properties, required)
    };
    json!({ "oneOf": [
        of(TargetKind::SynapseDedicated, target::SQL_KEYS, &["kind", "host", "database", "auth"]),
        of(TargetKind::SynapseServerless, target::SQL_KEYS, &["kind", "host", "database", "auth"]),
        of(TargetKind::SynapseWorkspace, target::WORKSPACE_KEYS, &["kind", "endpoint", "auth"]),
        of(TargetKind::AzureRbac, target::AZURE_KEYS, &["kind", "scope", "auth"]),
        of(TargetKind::Script, target::SCRIPT_KEYS, &["kind", "dialect", "out"]),
    ] })
}

fn target_key(key: &str) -> Value {
    match key {
        "host" => text("The server."),
        "port" => {
            json!({ "type": "integer", "minimum": 1, "maximum": 65535, "default": 1433, "description": "Its port." })
        }
        "database" => text("The database."),
        "endpoint" => text("The workspace's address, https://NAME.dev.azuresynapse.net."),
        "workspace" => text("The workspace's name, where its address does not begin with it."),
        "scope" => text("A scope of Azure Resource Manager."),
        "dialect" => word(
            &["synapse-dedicated", "synapse-serverless", "dedicated", "serverless"],
            "Whose statements are written.",
        ),
        "out" => text(
            "The folder that statements are written to, one file for each run; or a file FILE.sql, which holds what waits.",
        ),
        "catalog" => text("A file with the catalog as `axon script catalog` exports it."),
        "auth" => reference("auth"),
        "tls" => json!({ "description": "off (loopback only), or the authority.", "oneOf": [
            { "enum": ["off", false] }, object(&[("ca", text("A file of certificates."))], &["ca"])
        ] }),
        "object_id" => text("Where a person's Entra object id stands: a template over SCIM paths."),
        "mode" => {
            word(&["observe", "additive", "authoritative"], "How far Axon may go; observe, if left out.")
        }
        "via" => word(&["person", "group"], "How people get in; person, if left out."),
        "principal" => text("How a person is named there: a template over SCIM paths."),
        "role_name" => text("How a role is named there: a template with {role}."),
        "metadata" => object(
            &keys(target::METADATA_KEYS, |key| match key {
                "schema" => text("The schema of profiles and keys; axon, if left out."),
                "owner" => {
                    text("A user without a login that owns views and their tables; axon_owner, if left out.")
                }
                "accept_groups" => list(
                    &text("A group of the pool."),
                    "Groups that may reach tables past their views: it is seen to elsewhere that none of their people reads a view.",
                ),
                "impersonation" => text(
                    "The role of the pool whose members may read as others; AXON_IMPERSONATION, if left out.",
                ),
                _ => {
                    let mark = json!({ "type": "string", "minLength": 1, "maxLength": 1 });
                    let marks = keys(target::DELIMITER_KEYS, |_| mark.clone());
                    object(&marks, target::DELIMITER_KEYS)
                }
            }),
            &[],
        ),
        "manage" => object(
            &keys(target::MANAGE_KEYS, |key| match key {
                "roles" => list(&text("A glob."), "Roles that Axon creates, fills, empties, drops."),
                "except" => list(
                    &text("A role."),
                    "Roles that are people's: nothing is given or taken there, also not what Axon gave earlier.",
                ),
                "schemas" => list(&text("A glob."), "Schemas whose objects are Axon's own."),
                _ => word(
                    &["mapped", "external", "existing"],
                    "Whom it manages: people that the directory knows or knew, every Entra user, or the first without making a user for \
                     anybody (only in databases and their servers).",
                ),
            }),
            &[],
        ),
        _ => json!({}),
    }
}

fn role_key(key: &str) -> Value {
    match key {
        "description" => text("What it is for."),
        "includes" => list(&text("A role."), "Roles whose grants it takes in."),
        "grants" => reference("grants"),
        "direct" => json!({
            "type": "boolean",
            "description": "No role of the pool: what its lines say stands on each principal that has it."
        }),
        "define" => {
            let defined = keys(role::DEFINE_KEYS, |key| match key {
                "name" => text("Its name in Azure, which lines of `grants` name."),
                "description" => text("What it is for."),
                "actions" => list(&text("An action."), "What it allows."),
                "not_actions" => list(&text("An action."), "What of that it does not allow."),
                "data_actions" => list(&text("An action."), "What it allows with data."),
                _ => list(&text("An action."), "What of that it does not allow with data."),
            });
            named(
                &object(&defined, &["name"]),
                "Roles of Azure that Axon makes, by target of kind azure-rbac.",
            )
        }
        _ => {
            let acting = keys(role::IMPERSONATE_KEYS, |key| match key {
                "roles" => list(&text("A role."), "Whose people may be acted as."),
                "for" => reference("duration"),
                "second_person" => flag("Whether somebody else has to release it; false, if left out."),
                _ => word(&["required", "optional"], "Whether a reason must be said; required, if left out."),
            });
            named(&object(&acting, &["roles", "for"]), "The roles that people with this one may act as.")
        }
    }
}

fn mapping_key(key: &str) -> Value {
    match key {
        "groups" => object(
            &keys(rule::GROUPS_KEYS, |key| match key {
                "any" => list(&reference("group"), "Being in one of these suffices."),
                "all" => list(&reference("group"), "All of these are needed."),
                "none" => list(&reference("group"), "None of these may be had."),
                "match" => text("A regular expression over whole display names."),
                _ => text("The group with this externalId."),
            }),
            &[],
        ),
        "source" => text("Whose groups."),
        "when" => text("A SCIM filter over the person."),
        "roles" => json!({ "description": "The roles that it gives, or a template of captures.", "oneOf": [
            { "type": "array", "minItems": 1, "items": text("A role.") },
            { "type": "string", "minLength": 1 }
        ] }),
        "only" => list(&text("A role."), "What captures may name."),
        "until" => reference("instant"),
        "via" => word(&["person", "group"], "How people get in, where it differs from the target's way."),
        "service" => text("The service identity that it is about."),
        "trust" => json!({ "type": "boolean", "description": "Newly matched groups need no release." }),
        _ => json!({}),
    }
}

fn view_key(key: &str) -> Value {
    match key {
        "targets" => json!({ "description": "The targets that hold it.", "oneOf": [
            { "type": "string", "minLength": 1 }, { "type": "array", "items": text("A target or set.") }
        ] }),
        "from" => text("The table that it shows; schema.*, or tag:NAME, for one view of each table."),
        "columns" => named(
            &json!({ "oneOf": [
            word(&["show", "hide"], "Clear, or not in the view."),
            object(&keys(secure_view::COLUMN_KEYS, |key| match key {
                "mask" => json!({ "type": ["string", "null"], "description": "null, redact, hash, email, last(4), first(2), round(100), bucket(10), year, month, digits, constant('x')" }),
                "for" => list(&text("A role."), "Roles that see the mask; people with none of `for` and `unless` see null."),
                _ => list(&text("A role."), "Roles that see it clear."),
            }), &["mask"])
        ] }),
            "What is seen of each column.",
        ),
        "readers" => list(&text("A role."), "Roles that may read it: each is granted SELECT on it."),
        "enforce" => word(
            &["view", "native"],
            "native: its rows filter the table itself too, and readers may read its clear columns there.",
        ),
        "unfiltered" => list(
            &text("A role of the pool."),
            "With `enforce: native`: its members see every row of the table. Nobody else does.",
        ),
        _ => list(
            &json!({ "oneOf": [
                object(&[("role", text("People with this role see every row."))], &["role"]),
                object(&[
                    ("group", text("People in this group see every row.")),
                    ("source", text("Whose it is; may be left out where mappings speak of one source.")),
                ], &["group"]),
                object(&[
                    ("where", text("A condition over columns and user.PATH; `column last 90 days`.")),
                    ("for", list(&text("A role."), "Only people with one of these roles see rows by this line.")),
                ], &["where"]),
            ] }),
            "A row is seen if any line lets it through.",
        ),
    }
}

fn test_key(key: &str) -> Value {
    match key {
        "user" => {
            let known: Map<String, Value> = map_test::PERSON_KEYS.iter().map(|key| ((*key).to_owned(), match *key {
                "userName" => text("Their userName."),
                "groups" => list(&reference("group"), "The groups that they are in."),
                "source" => text("Whose they are; may be left out where mappings speak of one source."),
                _ => json!({ "type": "boolean", "description": "Whether they are active; true, if left out." }),
            })).collect();
            json!({ "type": "object", "required": ["userName"], "properties": known,
                "description": "A person; other keys are SCIM attributes." })
        }
        "service" => text("A service identity."),
        "at" => reference("instant"),
        "roles" => list(&text("A role."), "Exactly the roles that come out."),
        _ => reference("grants"),
    }
}
