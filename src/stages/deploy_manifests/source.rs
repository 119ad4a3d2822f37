//! What is to be deployed: built and read, before there is a cluster.

use std::path::Path;

use crate::{
    cli::DeployArgs,
    report::{Exit, Failure},
    set::{
        build::{self, Rendered},
        draw::Form,
        hooks, images,
        lint::{LintError, Severity, duplicates},
    },
    stages::Context,
    tools,
};

/// Builds the manifests and reads their objects; nothing is asked of a cluster.
///
/// # Errors
/// [`Failure`]: bad input, or a network that fails.
pub async fn build(args: &DeployArgs, context: &Context) -> Result<Rendered, Failure> {
    let lines = args.manifests.as_ref().map_or(&[][..], |lines| &lines.0);
    if lines.is_empty() {
        return Err(
            Failure::new(Exit::BadInput, "no manifests are named").hint(
                "set manifests to a kustomize directory, a file or a URL, for example `manifests: example`",
            ),
        );
    }
    if let Some(file) = &args.graph {
        Form::of(file)?;
    }
    let sources = build::sources(lines)?;
    let needs_kustomize = sources.iter().any(|(_, source)| source.needs_kustomize());
    let kustomize = if needs_kustomize {
        tools::kustomize(&context.env, &context.store, None, context.deadline).await?
    } else {
        Path::new("kustomize").to_owned()
    };
    let mut rendered = build::render(&sources, &kustomize, &context.env, context.deadline).await?;
    rendered.findings = hooks::sort_out(&mut rendered.objects);
    if let Some(overrides) = &args.image_overrides {
        images::override_all(&mut rendered.objects, overrides);
    }
    if !args.lint_only {
        // What can be refused before there is a cluster, is: one may have to be made first.
        LintError::refuse(duplicates::check(&rendered.objects), Severity::Fatal)?;
    }
    Ok(rendered)
}
