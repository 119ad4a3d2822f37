//! `doctor`: what the chain will need is tried or looked at beforehand. Nothing is made.

use std::sync::Arc;

use crate::{
    cli::{DoctorArgs, ProviderKind, ProvisionArgs},
    doctor::{self, Check, CheckStatus, ec2, github, host, machine},
    host::local::LocalHost,
    limits::Deadline,
    logs::s3::Target,
    provider::{ec2::Access, ssh::Ssh},
    report::{self, Failure},
    stages::{Context, Outputs},
    tools,
};

/// Carries the stage out.
///
/// # Errors
/// [`Failure`] naming what is missing: exit code 2, or 3 where the infrastructure is at fault.
pub async fn run(args: &DoctorArgs, context: &mut Context) -> Result<Outputs, Failure> {
    let (provision, deadline) = (&args.provision, context.deadline);
    let provider = provision.provider.unwrap_or(ProviderKind::Ec2);
    let tools_dir = args.tools_dir.as_deref();
    let arch = match provider {
        ProviderKind::Local => tools::this_arch(),
        _ => provision.arch,
    };
    let mut checks =
        machine::examine(arch, tools_dir, &context.env, &context.store, deadline).await;
    checks.extend(match provider {
        ProviderKind::Ec2 => {
            let run = context.run();
            Box::pin(ec2::examine(
                provision,
                args.budget,
                run,
                &context.env,
                deadline,
            ))
            .await
        }
        ProviderKind::Local => {
            let here = Arc::new(LocalHost::new(&context.env));
            host::examine(here, false, deadline).await
        }
        ProviderKind::Ssh => reached(args, context, deadline).await,
    });
    if let Some(uri) = &args.s3_uri {
        checks.push(bucket(uri, provision, context, deadline).await);
    }
    let rented = provider == ProviderKind::Ec2;
    let role = rented && provision.role_arn.is_some();
    checks.extend(github::examine(&context.env, role, rented, deadline).await);
    tell(&checks, context);
    doctor::conclude(&checks)?;
    Ok(Outputs::default())
}

/// A host over SSH, where it lets us in.
async fn reached(args: &DoctorArgs, context: &Context, deadline: Deadline) -> Vec<Check> {
    let what = "SSH";
    let inputs = &args.provision;
    let (host, key) = (inputs.host.as_deref(), inputs.host_key.as_deref());
    let ssh = match Ssh::new(host, key, inputs.private_key.as_deref(), &context.env) {
        Ok(ssh) => ssh,
        Err(error) => return vec![Check::failed(what, error)],
    };
    match ssh.reach(deadline).await {
        Ok(reached) => {
            let reached = Arc::new(reached);
            let mut checks = vec![Check::ok(
                what,
                "the host lets us in, and has the key it should have",
            )];
            checks.extend(host::examine(reached, true, deadline).await);
            checks
        }
        Err(error) => vec![Check::failed(what, error)],
    }
}

/// Whether a bundle could be put there.
async fn bucket(
    uri: &str,
    provision: &ProvisionArgs,
    context: &Context,
    deadline: Deadline,
) -> Check {
    let what = "s3:PutObject";
    let access = match Access::new(&context.env, provision.role_arn.as_deref()) {
        Ok(access) => access,
        Err(error) => return Check::failed("role-arn", error),
    };
    let access = match provision.region.as_deref() {
        Some(region) => access.in_region(region),
        None => access,
    };
    let target = match Target::parse(uri) {
        Ok(target) => target,
        Err(error) => return Check::failed("s3-uri", error),
    };
    match target.could_upload(&access, deadline).await {
        Ok(()) => Check::ok(what, format!("allowed below {uri}")),
        Err(error) => Check::failed(what, error).allow(&ec2::allowing_upload(target)),
    }
}

fn tell(checks: &[Check], context: &Context) {
    report::say(&doctor::text(checks));
    context.summarize(&doctor::markdown(checks));
    if context.env.get("GITHUB_OUTPUT").is_none() {
        return;
    }
    let which = |wanted: fn(CheckStatus) -> bool| {
        let those = checks.iter().filter(move |check| wanted(check.status));
        those.map(|check| check.what.as_str())
    };
    context.tell(
        "missing",
        which(|status| matches!(status, CheckStatus::Missing(_))),
    );
    context.tell("warnings", which(|status| status == CheckStatus::Warning));
}
