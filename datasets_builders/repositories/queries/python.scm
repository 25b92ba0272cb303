(import_statement) @statement
(import_from_statement) @statement
((call function: (_) @function arguments: (argument_list . (_) @target)) @statement
  (#any-of? @function "__import__" "import_module" "importlib.import_module"))
