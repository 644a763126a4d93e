//! The role map of a bench over pools.

/// Targets with their ports; roles, each for a group of its own, that read the regions of some; and so many roles of readers of the
/// orders of the first.
pub(crate) fn map(targets: &[(&str, u16)], roles: &[(&str, &str, &[&str])], readers: usize) -> String {
    let target = |(name, port): &(&str, u16)| {
        format!(
            "  {name}:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    port: {port}\n    database: dw\n    \
             auth: {{ token-file: pool.token }}\n    tls: off\n    mode: authoritative\n    \
             manage: {{ roles: [\"axon_*\"], schemas: [], principals: mapped }}\n    role_name: \"axon_{{role}}\""
        )
    };
    let role = |(role, _, there): &(&str, &str, &[&str])| {
        let grants: Vec<String> = there.iter().map(|at| format!("{at}: [select on sales.regions]")).collect();
        format!("  {role}: {{ grants: {{ {} }} }}", grants.join(", "))
    };
    let reader = |n| format!("  reader{n}: {{ grants: {{ {}: [select on sales.orders] }} }}", targets[0].0);
    let mapping = |group: &str, role: &str| {
        format!("  - {{ groups: {{ any: [{group}] }}, source: entra, roles: [{role}] }}")
    };
    let head = |line: &str| [line.to_owned()];
    let lines: Vec<String> = head("axon: 1")
        .into_iter()
        .chain(head("targets:"))
        .chain(targets.iter().map(target))
        .chain(head("roles:"))
        .chain(roles.iter().map(role))
        .chain((0..readers).map(reader))
        .chain(head("mappings:"))
        .chain(roles.iter().map(|(role, group, _)| mapping(group, role)))
        .chain((0..readers).map(|n| mapping(&format!("Readers{n}"), &format!("reader{n}"))))
        .collect();
    lines.join("\n") + "\n"
}
