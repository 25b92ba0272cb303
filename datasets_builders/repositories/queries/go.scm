(import_spec path: (_) @target)
