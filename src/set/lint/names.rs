//! Names that no server takes, since kustomize was to replace a part of them and has not.

use crate::set::{
    lint::{LintFinding, Rule, Severity},
    objects::Object,
};

/// Each object with a variable left in its name or namespace.
pub fn check(objects: &[Object]) -> Vec<LintFinding> {
    let left = objects.iter().filter_map(|object| {
        let names = [Some(object.id.name.as_str()), object.id.namespace.as_deref()];
        let variable = names.into_iter().flatten().find_map(variable)?;
        Some(LintFinding {
            severity: Severity::Problem,
            rule: Rule::Name,
            object: object.id.to_string(),
            message: format!(
                "{} cannot be made: kustomize has left {variable} in its name ({})",
                object.id, object.source
            ),
            remedy: "correct the replacement or variable that should fill it in, or use the kustomize that the set was written for".to_owned(),
        })
    });
    left.collect()
}

/// The `$(…)` in a name.
fn variable(name: &str) -> Option<&str> {
    let from = name.find("$(")?;
    let length = name[from..].find(')')?;
    Some(&name[from..=from + length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::objects;

    #[test]
    fn a_variable_in_a_name_is_told() {
        let text = "{apiVersion: v1, kind: A, metadata: {name: a, namespace: x-$(b)}}\n---\n\
                    {apiVersion: v1, kind: A, metadata: {name: 'a$(b'}, c: $(d)}";
        let found = check(&objects::read("x", text).unwrap());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].message,
            "A x-$(b)/a cannot be made: kustomize has left $(b) in its name (x, document 1)"
        );
    }
}
