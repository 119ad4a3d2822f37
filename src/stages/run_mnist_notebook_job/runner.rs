//! The test as a process of this machine, with ports of the cluster where it wants some.

use std::path::Path;

use serde_json::json;

use super::{keep, suited, theirs};
use crate::{
    cli::NotebookArgs,
    cluster::{self, Connected, KubeconfigError},
    notebook::{forward, runner::Test, source::Source, verdict::TestVerdict},
    report::Failure,
    stages::{Context, Outputs},
};

/// Carries the stage out on this machine.
///
/// # Errors
/// [`Failure`]; outputs and summary are set where there are results.
pub(super) async fn run(
    args: &NotebookArgs,
    mut source: Source,
    kubeconfig: Option<&Path>,
    context: &mut Context,
) -> Result<Outputs, Failure> {
    let requirements = args.requirements.clone().unwrap_or_default();
    let deadline = context.deadline;
    let forwards = args.forward.clone().unwrap_or_default();
    let connected = cluster::connect(kubeconfig, &context.env, &context.store, deadline).await;
    let mut given = Vec::new();
    let mut forwarding = None;
    match connected {
        Ok(Connected {
            client, kubeconfig, ..
        }) => {
            source = suited(source, args, &client).await?;
            given.push(("KUBECONFIG".to_owned(), kubeconfig));
            let opened = forward::open(&client, &forwards, &args.namespace, deadline).await?;
            given.extend(opened.env.iter().cloned());
            forwarding = Some(opened);
        }
        // Theirs asks for no cluster: the notebook finds its own, or needs none.
        Err(KubeconfigError::None) if args.theirs.papermill => {}
        Err(error) => return Err(error.into()),
    }

    let suite = source.name.clone();
    let (run, state) = (context.run(), context.store.dir());
    let (script, python) = (args.script.as_deref(), args.python.as_deref());
    let test = Test::new(run, source, &requirements.0, script, python, state)?;
    context
        .store
        .intend("run a test", json!({ "on": "this machine" }))?;
    // What the test does to the cluster is not known.
    context.writes = true;
    let attended = test.to_its_end(&context.env, &given, deadline).await;
    let verdict = attended.unwrap_or_else(TestVerdict::of);
    let kept = keep(context, &verdict, &suite, &test.name);
    context
        .store
        .achieve("run a test", json!({ "test": test.name }))?;
    drop(forwarding);
    let written = theirs::put(&args.theirs, &verdict);
    let concluded = kept.conclude(verdict, |failure| failure);
    concluded.and_then(|outputs| written.map(|()| outputs))
}
