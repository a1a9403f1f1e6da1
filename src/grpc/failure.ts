// Failure: a Problem becomes a gRPC status with REST's code and text, its details as the protobuf messages they name.

import { ConnectError, type Interceptor } from '@connectrpc/connect';
import type { Door } from '../http/app.ts';
import {
  BAD_REQUEST,
  type Detail,
  detailsOf,
  ERROR_INFO,
  type ErrorDetail,
  LOCALIZED,
  problemOf,
  rateLimitFields,
  retryAfterOf,
} from '../http/failure.ts';
import type { Problem } from '../problem.ts';
import { CALLER } from './certificate-authority.ts';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  LocalizedMessageSchema,
  RetryInfoSchema,
} from './generated/google/rpc/error_details_pb.ts';

type OutgoingDetail = Extract<ConnectError['details'][number], { desc: unknown }>;

/** Errors of the protocol itself, such as UNIMPLEMENTED, pass as they are. */
export function problemsAsStatus(door: Pick<Door, 'errors' | 'onBug'>): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (failure) {
      if (failure instanceof ConnectError) throw failure;
      const problem = problemOf(failure);
      if (problem.code === 'internal') door.onBug?.(problem.cause, request.contextValues.get(CALLER));
      throw connectErrorOf(problem, door.errors);
    }
  };
}

/** The wait goes out twice: as metadata, which is there with terse errors too, and as the detail that gRPC clients know. */
export function connectErrorOf(problem: Problem, errors: ErrorDetail): ConnectError {
  const details: OutgoingDetail[] = detailsOf(problem, errors).map(messageOf);
  const seconds = retryAfterOf(problem);
  if (seconds !== undefined && errors === 'helpful')
    details.push({ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds) } } });
  const metadata = {
    ...rateLimitFields(problem),
    ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
  };
  return new ConnectError(problem.message.toWellFormed(), problem.rpcCode, metadata, details);
}

function messageOf(detail: Detail): OutgoingDetail {
  switch (detail['@type']) {
    case ERROR_INFO: {
      const { reason, domain, metadata } = detail;
      return { desc: ErrorInfoSchema, value: { reason, domain, metadata } };
    }
    case BAD_REQUEST:
      return { desc: BadRequestSchema, value: { fieldViolations: [...detail.fieldViolations] } };
    case LOCALIZED:
      return { desc: LocalizedMessageSchema, value: { locale: detail.locale, message: detail.message } };
    default:
      return detail satisfies never;
  }
}
