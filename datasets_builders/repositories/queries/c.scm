(preproc_include path: (_) @target)
((preproc_call directive: (preproc_directive) @function argument: (preproc_arg) @target)
  (#any-of? @function "#import" "#include_next"))
