//! End-to-end suites: the real binary over HTTP and TDS.
