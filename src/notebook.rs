//! A notebook or a script as a Job: its objects, its log, its results.
