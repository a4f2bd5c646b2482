/** What the top of a queue's page says. */
export const queueText = { details: "Details" } as const;
