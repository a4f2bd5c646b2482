export const stored = {
  message: "Message",
  messageHint: "The TaskMessage in protobuf, as asynq and asynqpy write it.",
  fields: "Fields beside it",
  fieldsHint: "Of the hash in Redis. Those with py: are asynqpy's own; asynq does not read them.",
  unknown: "Fields of a later version",
  unknownHint: "A peer has written them; this version does not know what they mean.",
  field: "Field",
  value: "Value",
  size: "Size",
  number: "Number",
  unreadable: "The message cannot be read",
  cut: (shown: string, all: string) => `The first ${shown} of ${all}.`,
} as const;
