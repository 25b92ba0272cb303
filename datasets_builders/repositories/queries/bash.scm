((command name: (command_name) @function . argument: (_) @target)
  (#any-of? @function "source" "."))
