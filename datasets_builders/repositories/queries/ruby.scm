((call method: (identifier) @function) @statement
  (#any-of? @function "require" "require_relative" "load" "autoload"))
(constant) @used
(scope_resolution) @used
