//! A host made fit for a cluster: Docker, kind, the node image, limits, disk.

use super::{Wish, theirs};
use crate::{
    cli::InstallArgs,
    host::{self, engine::Engine, prepare},
    kind,
    record::HostKind,
    report::Failure,
    stages::Context,
    tools::{self, Tool, ToolRequest},
};

/// A host that is fit for it.
pub(super) struct Fit {
    pub(super) engine: Engine,
    /// Where kind is on the host, and its version.
    pub(super) kind: String,
    pub(super) version: String,
}

impl Fit {
    pub(super) async fn make(
        args: &InstallArgs,
        wish: &Wish,
        context: &Context,
    ) -> Result<Self, Failure> {
        let deadline = context.deadline;
        let host = host::open(&wish.record, &context.env)?;
        let remote = wish.record.kind == HostKind::Ssh;
        if remote {
            prepare::first_boot(&*host, deadline).await?;
        }
        let facts = prepare::facts(&*host, deadline).await?;
        let engine = prepare::docker(&host, remote, deadline).await?;
        let tool = async {
            let wanted = ToolRequest {
                tool: Tool::Kind,
                // The one in tools-dir is taken as it is, unless a version was asked for.
                version: (args.kind_version.is_some() || args.tools_dir.is_none())
                    .then_some(wish.choice.kind.as_str()),
                arch: facts.arch,
                tools_dir: args.tools_dir.as_deref(),
            };
            let found = tools::find(wanted, &context.env, &context.store, deadline)
                .await
                .map_err(|error| theirs::kind_refused(args, error))?;
            let home = remote.then_some(facts.home.as_str());
            let kind = tools::place(&*host, &found, home, deadline).await?;
            Ok::<_, Failure>((kind, found.version))
        };
        let image = async { Ok(kind::image(&engine, &wish.choice.node_image, deadline).await?) };
        let limits = async { Ok(prepare::limits(&*host, deadline).await?) };
        let disk = async { Ok(prepare::disk(&engine, deadline).await?) };
        // The pull of the image is the longest of these; the rest hides behind it.
        let ((kind, version), (), (), ()) = futures::try_join!(tool, image, limits, disk)?;
        Ok(Self {
            engine,
            kind,
            version,
        })
    }
}
