(preproc_include path: (_) @target)
