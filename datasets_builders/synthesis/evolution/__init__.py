"""Section 3.2.3: Evol-Instruct and OSS-Instruct, as steps of any builder and as a builder of problems by domain."""
