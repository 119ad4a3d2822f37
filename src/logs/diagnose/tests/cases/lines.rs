//! What lines of logs tell.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let crash = |log: &'static str| of([pod("p", CRASHES)]).with_log("p", log);
    let ready = |log: &'static str| of([pod("p", READY)]).with_log("p", log);
    let volume = ", volumeMounts: [{name: v, mountPath: /data}]";
    let with_volume = |log: &'static str| of([pod_with("p", volume, CRASHES)]).with_log("p", log);
    vec![
        case(
            Class::NoSpaceLeft,
            crash("write /x: no space left on device"),
            crash("inotify_add_watch failed: no space left on device, raise max_user_watches"),
        ),
        case(
            Class::InotifyLimit,
            crash("failed to create fsnotify watcher: too many open files"),
            crash("accept: too many open files"),
        ),
        case(
            Class::PortInUse,
            crash("listen tcp :8080: bind: address already in use"),
            ready("listen tcp :8080: bind: address already in use"),
        ),
        case(
            Class::DatabaseAccessDenied,
            crash("ERROR 1045 (28000): Access denied for user 'a'@'10.0.0.1'"),
            crash("error: access denied to /etc/x"),
        ),
        case(
            Class::DatabaseReadOnly,
            ready(
                "ERROR: cannot execute INSERT in a read-only transaction\nERROR: cannot execute INSERT in a read-only transaction\nERROR: cannot execute INSERT in a read-only transaction",
            ),
            ready("ERROR: cannot execute INSERT in a read-only transaction"),
        ),
        case(
            Class::DatabaseConnectionsUsedUp,
            of([
                pod("p", READY),
                events(
                    "Pod",
                    "p",
                    "Unhealthy",
                    "Readiness probe failed: ERROR 1040 (HY000): Too many connections",
                    5,
                ),
            ]),
            of([
                pod("p", READY),
                events(
                    "Pod",
                    "p",
                    "Unhealthy",
                    "Readiness probe failed: ERROR 1040 (HY000): Too many connections",
                    1,
                ),
            ]),
        ),
        case(
            Class::AccessForbidden,
            crash(
                "pods is forbidden: User \"system:serviceaccount:n:p\" cannot list resource \"pods\"",
            ),
            crash("error: 403 Forbidden"),
        ),
        case(
            Class::CertificateRefused,
            crash(
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            ),
            crash("tls: handshake failure"),
        ),
        case(
            Class::ImagePlatformMissing,
            crash("exec /bin/x: exec format error"),
            crash("format error in line 3"),
        ),
        case(
            Class::VolumePermissionDenied,
            with_volume("mkdir /data/db: permission denied"),
            with_volume("mkdir /other: permission denied"),
        ),
        case(
            Class::DependencyUnreachable,
            of([
                pod("p", CRASHES),
                pod("db", READY),
                service("db", "app: db", "{port: 80, targetPort: 80}"),
            ])
            .with_log("p", "dial tcp db:80: i/o timeout"),
            of([pod("p", CRASHES)]).with_log("p", "dial tcp db:80: i/o timeout"),
        ),
    ]
}
