//! This machine as the host: nothing to launch, but Docker has to answer, and to tear down means our clusters.

use std::sync::Arc;

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;

use super::{
    DestroyOutcome, KnownLaunches, Owner, Provider, ProvisionedHost, Resource, clusters, end_after,
};
use crate::{
    host::{
        Host,
        engine::{Engine, EngineError},
        local::LocalHost,
    },
    inputs::Environment,
    limits::{Deadline, Limit},
    record::{HostKind, HostRecord, Launch, Record, Store},
    report::{Failure, Leftover},
};

/// This machine.
#[derive(Debug)]
pub struct Local {
    host: Arc<dyn Host>,
    exact: Option<clusters::ExactCluster>,
    ttl: Option<Limit>,
}

impl Local {
    /// This machine, with the variables that Docker needs.
    pub fn new(env: &Environment) -> Self {
        Self {
            host: Arc::new(LocalHost::new(env)),
            exact: None,
            ttl: None,
        }
    }

    /// It, with the time after which `reap` may remove the clusters of this job.
    #[must_use]
    pub(crate) fn with_ttl(mut self, ttl: Limit) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// It, with the cluster that only the record knows as this job's.
    #[must_use]
    pub fn with_record(mut self, record: &Record) -> Self {
        let name = record.exact_cluster.clone();
        self.exact = name.map(|name| clusters::ExactCluster {
            run: record.run.id.clone(),
            name,
        });
        self
    }
}

impl Provider for Local {
    fn launch<'a>(
        &'a self,
        store: &'a mut Store,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<ProvisionedHost, Failure>> {
        async move {
            let nothing_made = |error: EngineError| Failure::from(error).leaving(Leftover::None);
            Engine::find(Arc::clone(&self.host), deadline)
                .await
                .map_err(nothing_made)?;
            let host = HostRecord {
                kind: HostKind::Local,
                address: String::new(),
                port: 0,
                user: String::new(),
                private_key: None,
                host_key: None,
            };
            let ttl = self.ttl.map(Limit::duration);
            let launch = Launch {
                expires_at: ttl.map(|ttl| end_after(Timestamp::now(), ttl)),
                ..launch_of("local")
            };
            store.update(|record| record.launch = Some(launch))?;
            Ok(ProvisionedHost {
                host,
                expires_at: None,
                hourly: None,
                outputs: Vec::new(),
            })
        }
        .boxed()
    }

    fn find<'a>(
        &'a self,
        owner: &'a Owner,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Vec<Resource>, Failure>> {
        clusters::find(Arc::clone(&self.host), owner, self.exact.as_ref(), deadline).boxed()
    }

    fn destroy<'a>(
        &'a self,
        owner: &'a Owner,
        _known: Option<&'a KnownLaunches>,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<DestroyOutcome, Failure>> {
        clusters::destroy(Arc::clone(&self.host), owner, self.exact.as_ref(), deadline).boxed()
    }
}

/// What the record says of a host that was not launched.
pub(super) fn launch_of(provider: &str) -> Launch {
    Launch {
        provider: provider.to_owned(),
        region: None,
        nonce: None,
        instance_id: None,
        security_group_id: None,
        expires_at: None,
        attempts: Vec::new(),
    }
}
